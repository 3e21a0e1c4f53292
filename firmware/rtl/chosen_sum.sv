// (choose ? a : b) + c: the choice and the sum in one carry chain, where the cells of the chip have room for both. The result wraps.
// Combinational.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module chosen_sum #(
    parameter int WIDTH = 10
) (
    input  wire             choose,
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    input  wire [WIDTH-1:0] c,
    output wire [WIDTH-1:0] sum
);
`ifdef FABRIC_ECP5
    localparam int CELLS = (WIDTH + 1) / 2;
    // (D ? B : C) ^ A passes the carry on; else both summands are A, which is what the cell gives on: its function with C and D at 0
    localparam logic [15:0] FUNCTION = 16'h665A;
    wire [CELLS:0] carry;
    assign carry[0] = 1'b0;
    wire [2*CELLS-1:0] sums;
    wire [2*CELLS-1:0] wide_a = a;
    wire [2*CELLS-1:0] wide_b = b;
    wire [2*CELLS-1:0] wide_c = c;
    assign sum = sums[WIDTH-1:0];
    genvar k;
    generate
        for (k = 0; k < CELLS; k = k + 1) begin : g_cell
            CCU2C #(
                .INIT0(FUNCTION), .INIT1(FUNCTION), .INJECT1_0("NO"), .INJECT1_1("NO")
            ) chain (
                .CIN(carry[k]),
                .A0(wide_c[2*k]), .B0(wide_a[2*k]), .C0(wide_b[2*k]), .D0(choose),
                .A1(wide_c[2*k+1]), .B1(wide_a[2*k+1]), .C1(wide_b[2*k+1]), .D1(choose),
                .S0(sums[2*k]), .S1(sums[2*k+1]), .COUT(carry[k+1])
            );
        end
    endgenerate
`else
    assign sum = (choose ? a : b) + c;
`endif
endmodule

`resetall
