// The sum of TERMS numbers of WIDTH bits, as wide as it must be: LEVELS registers, each behind an addition of four, what is left at once.
//
// `sum` follows `terms` by LEVELS cycles.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module sum_grown #(
    parameter int TERMS = 8,
    parameter int WIDTH = 8,
    parameter int LEVELS = 1,
    parameter int GROWN = WIDTH + $clog2(TERMS)
) (
    input  wire                    clk,
    input  wire  [TERMS*WIDTH-1:0] terms,
    output wire signed [GROWN-1:0] sum
);
    localparam int GROUPS = (TERMS + 3) / 4;
    localparam int P_WIDTH = WIDTH + (TERMS > 2 ? 2 : TERMS > 1 ? 1 : 0);

    genvar k;
    generate
        if (LEVELS == 0) begin : g_now
            wire [TERMS*GROWN-1:0] wide;
            for (k = 0; k < TERMS; k = k + 1) begin : g_term
                wire signed [WIDTH-1:0] term = terms[k*WIDTH+:WIDTH];
                wire signed [GROWN-1:0] extended = term;
                assign wide[k*GROWN+:GROWN] = extended;
            end
            sum_now #(.TERMS(TERMS), .WIDTH(GROWN)) all (.terms(wide), .sum(sum));
        end else begin : g_level
            reg [GROUPS*P_WIDTH-1:0] partial;
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
                wire signed [WIDTH:0] low = a + b;
                wire signed [WIDTH:0] high = c + d;
                wire signed [P_WIDTH-1:0] both = low + high;
                always @(posedge clk) partial[k*P_WIDTH+:P_WIDTH] <= both;
            end
            sum_grown #(.TERMS(GROUPS), .WIDTH(P_WIDTH), .LEVELS(LEVELS - 1), .GROWN(GROWN)) rest (
                .clk(clk), .terms(partial), .sum(sum)
            );
        end
    endgenerate
endmodule

`resetall
