// Of one side of `price_book` while `follow`, two cycles later: lots within DEPTH levels, ticks from the first to the last of them.
//
// Levels beyond `count` hold nothing. Prices are limited to 2^40 ticks either way, as everywhere in features.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module level_terms #(
    parameter int WINDOW_BITS = 14,
    parameter int QUANTITY_BITS = 40,
    parameter int LEVELS = 10,
    parameter int DEPTH = 5,
    parameter int BIDS = 1,
    parameter int COUNT_BITS = $clog2(LEVELS + 1),
    parameter int TOTAL_BITS = QUANTITY_BITS + $clog2(LEVELS + 1)
) (
    input  wire                            clk,
    input  wire                            follow,
    input  wire [                    63:0] base,
    input  wire [          COUNT_BITS-1:0] count,
    input  wire [  LEVELS*WINDOW_BITS-1:0] keys,
    input  wire [LEVELS*QUANTITY_BITS-1:0] lots,
    output reg  [          TOTAL_BITS-1:0] total,
    output reg  [                    42:0] span
);
    localparam int PAIRS = (DEPTH + 1) / 2;

    initial if (DEPTH < 1 || DEPTH > LEVELS) $fatal(1, "level_terms: DEPTH of 1 to LEVELS");

    function automatic [QUANTITY_BITS-1:0] lots_of(input integer k);
        lots_of = k < DEPTH && k < count ? lots[(k<DEPTH?k:0)*QUANTITY_BITS+:QUANTITY_BITS] : 0;
    endfunction
    function automatic signed [41:0] limited(input [63:0] price);
        limited = $signed(price) > $signed(64'd1 << 40) ? 42'sd1 <<< 40
                : $signed(price) < -$signed(64'd1 << 40) ? -(42'sd1 <<< 40) : price[41:0];
    endfunction
    wire [WINDOW_BITS-1:0] flip = BIDS != 0 ? {WINDOW_BITS{1'b1}} : 0;
    wire [COUNT_BITS-1:0] back = count == 0 ? 0 : (count < DEPTH ? count : DEPTH) - 1'b1;

    reg [QUANTITY_BITS:0] pairs[0:PAIRS-1];
    reg [63:0] first, end_;
    wire signed [41:0] near = limited(first), far = limited(end_);
    wire signed [42:0] apart = near - far;
    reg [TOTAL_BITS-1:0] sum;
    integer k;
    always @* begin
        sum = 0;
        for (k = 0; k < PAIRS; k = k + 1) sum = sum + pairs[k];
    end
    always @(posedge clk) begin
        if (follow) begin
            for (k = 0; k < PAIRS; k = k + 1) pairs[k] <= lots_of(2 * k) + lots_of(2 * k + 1);
            first <= base + (keys[WINDOW_BITS-1:0] ^ flip);
            end_ <= base + (keys[back*WINDOW_BITS+:WINDOW_BITS] ^ flip);
        end
        total <= sum;
        span <= (apart[42] ? -apart : apart) + 1;
    end
endmodule

`resetall
