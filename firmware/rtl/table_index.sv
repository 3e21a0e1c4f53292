// The table entry of a value: `table_index` of pyorch/inference/reference.py.
//
// `value` has FRACTION fractional bits; the table has 2**INDEX_BITS entries over a span of 2**RANGE_BITS around zero.
// TOWARDS_ZERO 0: floor (`index: mid`); 1: truncation towards zero (`index: hls4ml`). Clipped to the table.
// Combinational.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module table_index #(
    parameter int WIDTH = 20,
    parameter int FRACTION = 12,
    parameter int INDEX_BITS = 10,
    parameter int RANGE_BITS = 4,
    parameter int TOWARDS_ZERO = 0
) (
    input  wire signed [     WIDTH-1:0] value,
    output wire        [INDEX_BITS-1:0] index
);
    localparam int SHIFT = FRACTION + RANGE_BITS - INDEX_BITS;
    localparam int DOWN = SHIFT > 0 ? SHIFT : 0;
    localparam int UP = SHIFT < 0 ? -SHIFT : 0;
    localparam int KEPT = WIDTH + UP > INDEX_BITS + DOWN + 1 ? WIDTH + UP : INDEX_BITS + DOWN + 1;

    wire signed [KEPT-1:0] wide = $signed(value);
    wire signed [KEPT-1:0] lifted = wide <<< UP;
    wire signed [KEPT-1:0] floored;
    generate
        if (TOWARDS_ZERO != 0 && DOWN > 0) begin : g_towards_zero
            wire signed [KEPT-1:0] ones = {{(KEPT - DOWN) {1'b0}}, {DOWN{1'b1}}};
            wire signed [KEPT-1:0] raised = lifted[KEPT-1] ? lifted + ones : lifted;
            assign floored = raised >>> DOWN;
        end else begin : g_floor
            assign floored = lifted >>> DOWN;
        end
    endgenerate
    wire fits = (&floored[KEPT-1:INDEX_BITS-1]) | ~(|floored[KEPT-1:INDEX_BITS-1]);
    // adding half of the table turns the sign bit over; beyond the table: its first or last entry
    assign index = fits ? {~floored[INDEX_BITS-1], floored[INDEX_BITS-2:0]} : {INDEX_BITS{~floored[KEPT-1]}};
endmodule

`resetall
