// One conversion between fixed-point formats: `FixedFormat.convert` of pyorch/contract/fixed.py.
//
// `value` has FROM_FRACTION fractional bits; `converted` has TO_WIDTH bits of which TO_FRACTION are fractional.
// ROUND 1: add half, then floor (RND); 0: floor (TRN). SATURATE 1: nearest end of the range (SAT); 0: wrap.
// Combinational. Preconditions: FROM_WIDTH >= 2, TO_WIDTH >= 1.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module convert #(
    parameter int FROM_WIDTH = 16,
    parameter int FROM_FRACTION = 8,
    parameter int TO_WIDTH = 8,
    parameter int TO_FRACTION = 4,
    parameter int ROUND = 1,
    parameter int SATURATE = 1
) (
    input  wire signed [FROM_WIDTH-1:0] value,
    output wire signed [  TO_WIDTH-1:0] converted
);
    localparam int DROP = FROM_FRACTION - TO_FRACTION;
    localparam int DOWN = DROP > 0 ? DROP : 0;
    localparam int UP = DROP < 0 ? -DROP : 0;
    // one bit for the carry of rounding; never narrower than the result
    localparam int GROWN = FROM_WIDTH + UP + 1;
    localparam int WIDTH = GROWN - DOWN > TO_WIDTH + 1 ? GROWN - DOWN : TO_WIDTH + 1;

    initial if (FROM_WIDTH < 2 || TO_WIDTH < 1) $fatal(1, "convert: FROM_WIDTH >= 2 and TO_WIDTH >= 1");

    wire signed [WIDTH+DOWN-1:0] grown = $signed(value);
    wire signed [WIDTH-1:0] scaled;
    generate
        if (DOWN > 0 && ROUND != 0) begin : g_round
            wire signed [WIDTH+DOWN-1:0] half = {{(WIDTH + DOWN - 1) {1'b0}}, 1'b1} <<< (DOWN - 1);
            wire signed [WIDTH+DOWN-1:0] sum = grown + half;
            assign scaled = sum[WIDTH+DOWN-1:DOWN];
        end else begin : g_floor
            assign scaled = (DOWN > 0) ? grown[WIDTH+DOWN-1:DOWN] : (grown <<< UP);
        end
        if (SATURATE != 0) begin : g_saturate
            // fits when all bits above the result's sign are copies of it
            wire fits = (&scaled[WIDTH-1:TO_WIDTH-1]) | ~(|scaled[WIDTH-1:TO_WIDTH-1]);
            wire [TO_WIDTH-1:0] lowest = {1'b1, {(TO_WIDTH - 1) {1'b0}}};
            assign converted = fits ? scaled[TO_WIDTH-1:0] : (lowest ^ {TO_WIDTH{~scaled[WIDTH-1]}});
        end else begin : g_wrap
            assign converted = scaled[TO_WIDTH-1:0];
        end
    endgenerate
endmodule

`resetall
