// A raw integer into a feature's format: ((raw - offset) * multiplier + half) >> SHIFT, saturated; four cycles.
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
    input  wire signed [       RAW_WIDTH-1:0] raw,
    input  wire signed [       RAW_WIDTH-1:0] offset,
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

    reg valid[1:3], ends[1:3];
    reg [INDEX_BITS-1:0] place[1:3];
    reg signed [RAW_WIDTH:0] from_offset;
    reg signed [MULTIPLIER_WIDTH:0] factor;
    reg signed [PRODUCT_WIDTH-1:0] product, rounded;
    wire signed [PRODUCT_WIDTH-1:0] scaled = rounded >>> SHIFT;
    integer k;

    always @(posedge clk) begin
        {valid[1], ends[1]} <= {in_valid, in_last};
        place[1] <= in_index;
        for (k = 2; k <= 3; k = k + 1) begin
            {valid[k], ends[k]} <= {valid[k-1], ends[k-1]};
            place[k] <= place[k-1];
        end
        from_offset <= raw - offset;
        factor <= {1'b0, multiplier};
        product <= from_offset * factor;
        rounded <= product + HALF;
        feature <= scaled < MINIMUM ? MINIMUM : scaled > MAXIMUM ? MAXIMUM : scaled[WIDTH-1:0];
        index <= place[3];
        last <= ends[3];
        out_valid <= valid[3] && !rst;
        if (rst) for (k = 1; k <= 3; k = k + 1) valid[k] <= 0;
    end
endmodule

`resetall
