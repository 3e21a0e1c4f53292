// The sum of TERMS numbers of WIDTH bits as a balanced tree without registers. WIDTH must hold every partial sum.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module sum_now #(
    parameter int TERMS = 4,
    parameter int WIDTH = 16
) (
    input  wire        [TERMS*WIDTH-1:0] terms,
    output wire signed [      WIDTH-1:0] sum
);
    localparam int LEFT = TERMS / 2;
    localparam int RIGHT = TERMS - LEFT;

    generate
        if (TERMS == 1) begin : g_one
            assign sum = terms;
        end else begin : g_two
            wire signed [WIDTH-1:0] left, right;
            sum_now #(.TERMS(LEFT), .WIDTH(WIDTH)) low (.terms(terms[LEFT*WIDTH-1:0]), .sum(left));
            sum_now #(.TERMS(RIGHT), .WIDTH(WIDTH)) high (.terms(terms[TERMS*WIDTH-1:LEFT*WIDTH]), .sum(right));
            assign sum = left + right;
        end
    endgenerate
endmodule

`resetall
