// (b_on ? b : 0) + (a_on ? a : 0), with MINUS the first less the second: two partial products and their sum, in one carry chain where
// the cells of the chip have room for the gates. The result wraps. Combinational.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module gated_sum #(
    parameter int WIDTH = 10,
    parameter int MINUS = 0
) (
    input  wire             a_on,
    input  wire [WIDTH-1:0] a,
    input  wire             b_on,
    input  wire [WIDTH-1:0] b,
    output wire [WIDTH-1:0] sum
);
`ifdef FABRIC_ECP5
    localparam int CELLS = (WIDTH + 1) / 2;
    // (A & B) ^ (C & D) passes the carry on; else both are A & B, which is what the cell gives on. Less A & B: the same with its complement
    localparam logic [15:0] FUNCTION = MINUS != 0 ? 16'h8777 : 16'h7888;
    wire [CELLS:0] carry;
    assign carry[0] = MINUS != 0;
    wire [2*CELLS-1:0] sums;
    wire [2*CELLS-1:0] wide_a = a;
    wire [2*CELLS-1:0] wide_b = b;
    assign sum = sums[WIDTH-1:0];
    genvar k;
    generate
        for (k = 0; k < CELLS; k = k + 1) begin : g_cell
            CCU2C #(
                .INIT0(FUNCTION), .INIT1(FUNCTION), .INJECT1_0("NO"), .INJECT1_1("NO")
            ) chain (
                .CIN(carry[k]),
                .A0(wide_a[2*k]), .B0(a_on), .C0(wide_b[2*k]), .D0(b_on),
                .A1(wide_a[2*k+1]), .B1(a_on), .C1(wide_b[2*k+1]), .D1(b_on),
                .S0(sums[2*k]), .S1(sums[2*k+1]), .COUT(carry[k+1])
            );
        end
    endgenerate
`else
    wire [WIDTH-1:0] chosen = a_on ? a : {WIDTH{1'b0}};
    assign sum = (b_on ? b : {WIDTH{1'b0}}) + (MINUS != 0 ? -chosen : chosen);
`endif
endmodule

`resetall
