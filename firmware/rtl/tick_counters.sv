// Counts ticks and what happens to them; 32 bits each, 0 after a reset (the least cycles: all ones).
`resetall
`timescale 1ns / 1ps
`default_nettype none

module tick_counters (
    input  wire        clk,
    input  wire        rst,
    input  wire        loaded,            // pulse, a cycle after a vector that will be answered was loaded
    input  wire        answered,          // pulse: its answer leaves
    input  wire        bad_frame,         // pulses
    input  wire        stalled,
    input  wire        swap,
    input  wire        refused_doorbell,
    input  wire        acts,              // pulse: something that is done between ticks begins
    input  wire        prepared,          // all that can be done before the next tick is done
    output reg  [31:0] steps,
    output reg  [31:0] cycles_last,
    output reg  [31:0] cycles_min,
    output reg  [31:0] cycles_max,
    output reg  [31:0] bad_frames,
    output reg  [31:0] stalls,
    output reg  [31:0] swaps,
    output reg  [31:0] refused_doorbells,
    output reg  [31:0] pause_last
);
    reg [31:0] now;
    reg [31:0] begun[0:31];  // when the vectors under way were loaded; a core of eight layers holds fewer
    reg [4:0] oldest, newest;
    reg pausing, paused_before;
    reg counted;  // cycles_last is new; difference and comparison in one cycle were the shell's longest path

    always @(posedge clk) begin
        now <= now + 1'b1;
        if (acts) begin
            pausing <= 1;
            paused_before <= 0;
            pause_last <= 1;
        end else if (pausing) begin
            paused_before <= 1;
            if (paused_before && prepared) pausing <= 0;
            else pause_last <= pause_last + 1'b1;
        end
        if (loaded) begin
            begun[newest] <= now - 1'b1;  // the edge that loaded it
            newest <= newest + 1'b1;
        end
        if (answered) begin
            oldest <= oldest + 1'b1;
            steps <= steps + 1'b1;
            cycles_last <= now - begun[oldest];
        end
        counted <= answered;
        if (counted) begin
            if (cycles_last < cycles_min) cycles_min <= cycles_last;
            if (cycles_last > cycles_max) cycles_max <= cycles_last;
        end
        if (bad_frame) bad_frames <= bad_frames + 1'b1;
        if (stalled) stalls <= stalls + 1'b1;
        if (swap) swaps <= swaps + 1'b1;
        if (refused_doorbell) refused_doorbells <= refused_doorbells + 1'b1;
        if (rst) begin
            now <= 0;
            steps <= 0;
            cycles_last <= 0;
            counted <= 0;
            cycles_min <= 32'hFFFFFFFF;
            cycles_max <= 0;
            bad_frames <= 0;
            stalls <= 0;
            swaps <= 0;
            refused_doorbells <= 0;
            pause_last <= 0;
            pausing <= 0;
            paused_before <= 0;
            oldest <= 0;
            newest <= 0;
        end
    end
endmodule

`resetall
