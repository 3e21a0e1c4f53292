// A logit becomes a probability with 15 fractional bits, two cycles later: table[clip((logit >> SHIFT) + 2**(INDEX_BITS - 1))].
`resetall
`timescale 1ns / 1ps
`default_nettype none

module sigmoid_score #(
    parameter int Y_WIDTH = 16,
    parameter int SHIFT = 0,
    parameter int INDEX_BITS = 10,
    parameter INIT = ""
) (
    input  wire                      clk,
    input  wire signed [Y_WIDTH-1:0] logit,
    output wire        [       15:0] share
);
    localparam int WIDE = (Y_WIDTH > INDEX_BITS ? Y_WIDTH : INDEX_BITS) + 2;
    localparam logic signed [WIDE-1:0] MIDDLE = {{(WIDE - 1) {1'b0}}, 1'b1} << (INDEX_BITS - 1), LAST = 2 * MIDDLE - 1;

    wire signed [Y_WIDTH-1:0] steps = logit >>> SHIFT;
    wire signed [WIDE-1:0] place = steps + MIDDLE;
    reg [INDEX_BITS-1:0] index;
    always @(posedge clk) index <= place < 0 ? 0 : place > LAST ? LAST[INDEX_BITS-1:0] : place[INDEX_BITS-1:0];
    constant_memory #(.WIDTH(16), .INDEX_BITS(INDEX_BITS), .READS(1), .INIT(INIT)) table_of_sigmoids (
        .clk(clk), .indices(index), .found(share)
    );
endmodule

`resetall
