// Two lines carry the same frames, either may lose some: the first of each pair goes on, by the numbers of its events.
//
// A frame that is ahead of what is expected waits for the missing one on the other line: until both lines are ahead, the other is off, its
// store is crowded or `wait_cycles` have passed. A line that still sends the session before is late, unless nothing went on for long.
// Twin of pyorch/market/lines.py, which defines it. A frame begins to go on in the cycle that shows it, a beat a cycle.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module line_arbiter #(
    parameter int LINES = 2,
    parameter int QUIET_BITS = 26    // 2^n cycles are long
) (
    input  wire              clk,
    input  wire              rst,
    input  wire [ LINES-1:0] on,
    input  wire [      31:0] wait_cycles,
    input  wire [ LINES-1:0] head_valid,
    input  wire [ LINES-1:0] head_known,
    input  wire [ LINES*4-1:0] head_session,
    input  wire [LINES*32-1:0] head_first,
    input  wire [LINES*32-1:0] head_following,
    input  wire [ LINES-1:0] crowded,
    input  wire [LINES*64-1:0] data,
    input  wire [ LINES-1:0] data_last,
    output wire [ LINES-1:0] take,
    output wire [ LINES-1:0] drop,
    output wire [ LINES-1:0] busy,          // a frame of the line goes on
    output wire [      63:0] m_axis_tdata,
    output wire              m_axis_tvalid,
    output wire              m_axis_tlast,
    input  wire              m_axis_tready,
    output reg  [LINES*32-1:0] lost,        // numbers that a line did not bring
    output reg  [LINES*32-1:0] duplicates,  // frames that the other line had brought before
    output reg  [LINES*32-1:0] late,        // frames of the session before
    output reg  [      31:0] filled,        // frames that one line brought while the other was ahead
    output reg  [      31:0] unfilled       // gaps that went on
);
    initial if (LINES < 1 || LINES > 2) $fatal(1, "line_arbiter: 1 or 2 lines");

    // ---- what went on
    reg began;
    reg [3:0] session;
    reg [31:0] expected;
    reg [QUIET_BITS:0] quiet;
    reg [31:0] waited;
    reg passing, line;               // a frame is under way, and from where

    // ---- each line's head
    wire [LINES-1:0] ready, early, ends;
    wire [LINES*32-1:0] ahead_all;
    wire [LINES-1:0] under_way = !passing ? {LINES{1'b0}} : LINES == 1 ? 1'b1 : line ? 2'b10 : 2'b01;
    assign busy = under_way | take;
    genvar k;
    generate
        for (k = 0; k < LINES; k = k + 1) begin : g_line
            wire [3:0] its = head_session[4*k+:4];
            wire [31:0] first = head_first[32*k+:32], following = head_following[32*k+:32];
            wire [31:0] ahead = first - expected, beyond = following - expected;
            reg has;                 // what the line brought last
            reg [3:0] last;
            reg [31:0] next;
            wire other = !began || its != session;
            wire behind = began && has && its == last && !quiet[QUIET_BITS];
            wire passed = ahead[31] && (beyond[31] || beyond == 0);
            wire free = head_valid[k] && !under_way[k];
            assign ahead_all[32*k+:32] = ahead;
            assign early[k] = free && head_known[k] && !other && !ahead[31] && ahead != 0;
            assign ready[k] = free && (!head_known[k] || (other ? !behind : ahead[31] ? !passed : ahead == 0));
            assign drop[k] = free && head_known[k] && (other ? behind : passed);
            assign ends[k] = take[k] && data_last[k];

            reg leaves, same;
            reg [31:0] gap;
            wire [31:0] skipped = first - next, grown = following - next;
            always @(posedge clk) begin
                leaves <= (ends[k] || drop[k]) && head_known[k];
                same <= has && its == last;
                gap <= skipped;
                if (leaves && same && !gap[31]) lost[32*k+:32] <= lost[32*k+:32] + gap;
                if ((ends[k] || drop[k]) && head_known[k]) begin
                    {has, last} <= {1'b1, its};
                    if (!has || its != last || !grown[31]) next <= following;
                end
                if (drop[k] && other) late[32*k+:32] <= late[32*k+:32] + 1'b1;
                if (drop[k] && !other) duplicates[32*k+:32] <= duplicates[32*k+:32] + 1'b1;
                if (rst) begin
                    {has, leaves} <= 0;
                    lost[32*k+:32] <= 0;
                    late[32*k+:32] <= 0;
                    duplicates[32*k+:32] <= 0;
                end
            end
        end
    endgenerate

    // ---- which goes on
    wire [31:0] first_ahead = ahead_all[31:0], second_ahead = ahead_all[32*LINES-1-:32];
    wire idle = !passing && ready == 0;
    wire over = &early || |(early & crowded) || |(~early & ~on) || LINES == 1 || waited >= wait_cycles;
    wire give_up = idle && early != 0 && over;
    wire second = LINES == 1 ? 1'b0 : ready != 0 ? !ready[0] : early[0] ? &early && second_ahead < first_ahead : 1'b1;
    wire from = passing ? line : second;
    wire room;
    wire go = room && (passing || ready != 0 || give_up);
    assign take = !go ? {LINES{1'b0}} : LINES == 1 ? 1'b1 : from ? 2'b10 : 2'b01;
    wire last_one = |ends;
    wire begins = go && !passing;
    wire known = from ? head_known[LINES-1] : head_known[0];
    small_queue #(.WIDTH(65)) beats (
        .clk(clk), .rst(rst), .in_valid(go), .in_ready(room),
        .in({last_one, from ? data[64*LINES-1-:64] : data[63:0]}), .out_valid(m_axis_tvalid), .out_ready(m_axis_tready),
        .out({m_axis_tlast, m_axis_tdata})
    );
    always @(posedge clk) begin
        if (go) begin
            passing <= !last_one;
            line <= from;
        end
        waited <= early != 0 && !(known && (go || passing)) ? waited + (waited != 32'hFFFFFFFF) : 32'd0;  // foreign frames prolong nothing
        quiet <= begins && known ? {QUIET_BITS + 1{1'b0}} : quiet + !quiet[QUIET_BITS];
        if (begins && early != 0) begin
            if (give_up) unfilled <= unfilled + 1'b1;
            else if (known) filled <= filled + 1'b1;
        end
        if (last_one && known) begin
            began <= 1;
            session <= from ? head_session[4*LINES-1-:4] : head_session[3:0];
            expected <= from ? head_following[32*LINES-1-:32] : head_following[31:0];
        end
        if (rst) begin
            {passing, line, began} <= 0;
            waited <= 0;
            quiet <= 0;
            filled <= 0;
            unfilled <= 0;
        end
    end
endmodule

`resetall
