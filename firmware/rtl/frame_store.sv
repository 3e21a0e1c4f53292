// Frames of a line wait here: kept whole behind the verdict that accepts them, forgotten behind any other.
//
// `word` is always taken. A frame that finds no room is dropped whole and counted. The oldest kept frame is described by its outline, its
// beats are taken one a cycle, or all at once (`drop`).
`resetall
`timescale 1ns / 1ps
`default_nettype none

module frame_store #(
    parameter int BEAT_BITS = 9,     // room for 2^n - 1 beats; and for 16 frames
    parameter int INSTRUMENTS = 1
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        word_valid,
    input  wire        word_verdict,
    input  wire [63:0] word,
    output wire        head_valid,
    output wire        head_known,
    output wire [ 3:0] head_session,
    output wire [31:0] head_first,
    output wire [31:0] head_following,
    output reg         crowded,      // little room is left: a frame of the longest kind may not fit
    output reg  [63:0] data,         // the first beat that was not taken
    output wire        data_last,
    input  wire        take,
    input  wire        drop,
    // pulses at each verdict
    output reg         counts,
    output reg  [ 3:0] verdict,
    output reg         overflows
);
    localparam int LONGEST = 184, FRAME_BITS = 4, CROWD = 12;
    localparam int WIDTH = 1 + 4 + 32 + 32 + BEAT_BITS;

    reg [BEAT_BITS-1:0] written, kept, read, read_next;
    reg lost;                        // a beat of the present frame
    wire ends = word_valid && word_verdict;
    wire room = written + 1'b1 != read;
    wire store = word_valid && !word_verdict && room && !lost;

    wire known;
    wire [3:0] session;
    wire [31:0] first, following;
    frame_outline #(.INSTRUMENTS(INSTRUMENTS)) outline (
        .clk(clk), .restart(rst || ends), .beat_valid(word_valid && !word_verdict), .beat(word), .known(known), .session(session),
        .first(first), .following(following)
    );

    // ---- kept frames
    reg [FRAME_BITS-1:0] newest, oldest;
    reg [FRAME_BITS:0] frames;
    wire [BEAT_BITS-1:0] head_end;
    wire right = ends && !word[4] && word[3:0] == verdict_pkg::ACCEPTED;
    wire keep = right && !lost && !frames[FRAME_BITS];
    lut_ram #(.WIDTH(WIDTH)) heads (
        .clk(clk), .write(keep), .write_address(newest), .data({known, session, first, following, written}), .address(oldest),
        .word({head_known, head_session, head_first, head_following, head_end})
    );
    assign head_valid = frames != 0;
    assign data_last = read_next == head_end;
    wire leaves = drop || (take && data_last);

    // ---- beats
    reg [63:0] beats[0:(1<<BEAT_BITS)-1];
    wire [BEAT_BITS-1:0] address = drop ? head_end : take ? read_next : read;
    wire [BEAT_BITS-1:0] used = written - read;
    always @(posedge clk) begin
        if (store) beats[written] <= word;
        data <= beats[address];
        read <= address;
        read_next <= address + 1'b1;
        if (store) written <= written + 1'b1;
        if (word_valid && !word_verdict && !room) lost <= 1;
        if (ends) begin
            lost <= 0;
            if (keep) kept <= written;
            else written <= kept;
        end
        if (keep) newest <= newest + 1'b1;
        if (leaves) oldest <= oldest + 1'b1;
        frames <= frames + keep - leaves;
        crowded <= used >= (1 << BEAT_BITS) - LONGEST || frames >= CROWD;
        counts <= ends;
        verdict <= word[3:0];
        overflows <= word[4] || (right && !keep);
        if (rst) begin
            {written, kept, read} <= 0;
            read_next <= 1;
            lost <= 0;
            {newest, oldest} <= 0;
            frames <= 0;
            crowded <= 0;
            counts <= 0;
        end
    end
endmodule

`resetall
