// The sum of TERMS numbers, four at a time: a register after every addition of four.
//
// `sum` follows `terms` by ceil(log4(TERMS)) cycles (0 cycles for one term). WIDTH bits must hold every partial sum.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module sum_tree #(
    parameter int TERMS = 4,
    parameter int WIDTH = 16
) (
    input  wire                          clk,
    input  wire        [TERMS*WIDTH-1:0] terms,
    output wire signed [      WIDTH-1:0] sum
);
    localparam int GROUPS = (TERMS + 3) / 4;

    generate
        if (TERMS == 1) begin : g_one
            assign sum = terms;
        end else begin : g_add
            reg [GROUPS*WIDTH-1:0] partial;
            genvar k;
            for (k = 0; k < GROUPS; k = k + 1) begin : g_group
                wire signed [WIDTH-1:0] a = terms[4*k*WIDTH+:WIDTH];
                wire signed [WIDTH-1:0] b;
                wire signed [WIDTH-1:0] c;
                wire signed [WIDTH-1:0] d;
                if (4 * k + 1 < TERMS) assign b = terms[(4*k+1)*WIDTH+:WIDTH];
                else assign b = 0;
                if (4 * k + 2 < TERMS) assign c = terms[(4*k+2)*WIDTH+:WIDTH];
                else assign c = 0;
                if (4 * k + 3 < TERMS) assign d = terms[(4*k+3)*WIDTH+:WIDTH];
                else assign d = 0;
                always @(posedge clk) partial[k*WIDTH+:WIDTH] <= (a + b) + (c + d);
            end
            sum_tree #(.TERMS(GROUPS), .WIDTH(WIDTH)) rest (.clk(clk), .terms(partial), .sum(sum));
        end
    endgenerate
endmodule

`resetall
