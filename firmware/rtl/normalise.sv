// A raw integer into a feature's format: (from_offset * multiplier + half) >> SHIFT, saturated; two cycles.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module normalise #(
    parameter int RAW_WIDTH = 32,
    parameter int MULTIPLIER_WIDTH = 21,
    parameter int SHIFT = 16,
    parameter int WIDTH = 8,
    parameter int MINIMUM = -128,
    parameter int MAXIMUM = 127,
    parameter int INDEX_BITS = 4
) (
    input  wire                               clk,
    input  wire                               rst,
    input  wire                               in_valid,
    input  wire signed [         RAW_WIDTH:0] from_offset,
    input  wire        [MULTIPLIER_WIDTH-1:0] multiplier,  // not negative
    input  wire        [      INDEX_BITS-1:0] in_index,
    input  wire                               in_last,
    output reg                                out_valid,
    output reg  signed [           WIDTH-1:0] feature,
    output reg         [      INDEX_BITS-1:0] index,
    output reg                                last
);
    localparam int PRODUCT_WIDTH = RAW_WIDTH + MULTIPLIER_WIDTH + 2;
    localparam logic signed [PRODUCT_WIDTH-1:0] HALF = SHIFT > 0 ? {{(PRODUCT_WIDTH - 1) {1'b0}}, 1'b1} << (SHIFT > 0 ? SHIFT - 1 : 0) : 0;

    reg valid, ends;
    reg [INDEX_BITS-1:0] place;
    reg signed [PRODUCT_WIDTH-1:0] product;
    wire signed [PRODUCT_WIDTH-1:0] rounded = product + HALF;
    wire signed [PRODUCT_WIDTH-1:0] scaled = rounded >>> SHIFT;

    always @(posedge clk) begin
        {valid, ends} <= {in_valid && !rst, in_last};
        place <= in_index;
        product <= from_offset * $signed({1'b0, multiplier});
        feature <= scaled < MINIMUM ? MINIMUM : scaled > MAXIMUM ? MAXIMUM : scaled[WIDTH-1:0];
        index <= place;
        last <= ends;
        out_valid <= valid && !rst;
    end
endmodule

`resetall
