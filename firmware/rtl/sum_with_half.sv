// a + b + 2**HALF in one carry chain: the half LSB of a rounding costs no second one.
//
// From bit HALF on, a and b are first reduced to x = a ^ b and y = (a & b) << 1, at HALF itself with the half among them; a cell of an
// ECP5's carry chain takes bits of both operands at two places, so it reduces and adds at once. The result wraps. Combinational.
// Preconditions: 0 <= HALF <= WIDTH - 2.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module sum_with_half #(
    parameter int WIDTH = 26,
    parameter int HALF  = 6
) (
    input  wire [WIDTH-1:0] a,
    input  wire [WIDTH-1:0] b,
    output wire [WIDTH-1:0] sum
);
    initial if (HALF < 0 || HALF > WIDTH - 2) $fatal(1, "sum_with_half: 0 <= HALF <= WIDTH - 2");

`ifdef FABRIC_ECP5
    localparam int CELLS = (WIDTH + 1) / 2;
    wire [CELLS:0] carry;
    assign carry[0] = 1'b0;
    wire [2*CELLS-1:0] sums;
    assign sum = sums[WIDTH-1:0];

    // Inputs A, B, C, D of a cell's bit: below HALF a, b; at HALF a, b; above it the bits below in A, B, its own in C, D.
    // A bit passes the carry on where its function is 1, else it gives its function of A and B with C = D = 0.
    function automatic [15:0] function_of(input int place);
        function_of = place < HALF ? 16'h96AA  // D = 1: A ^ B, else A
        : place == HALF ? 16'h9999  // ~(A ^ B)
        : place == HALF + 1 ? 16'hE11E  // C ^ D ^ (A | B)
        : 16'h8778;  // C ^ D ^ (A & B)
    endfunction

    wire [3:0] pins[0:2*CELLS-1];  // D, C, B, A
    genvar k;
    generate
        for (k = 0; k < 2 * CELLS; k = k + 1) begin : g_pins
            if (k >= WIDTH) begin : g_none
                assign pins[k] = 4'b0000;
            end else if (k < HALF) begin : g_below
                assign pins[k] = {2'b10, b[k], a[k]};
            end else if (k == HALF) begin : g_half
                assign pins[k] = {2'b00, b[k], a[k]};
            end else begin : g_above
                assign pins[k] = {b[k], a[k], b[k-1], a[k-1]};
            end
        end
        for (k = 0; k < CELLS; k = k + 1) begin : g_cell
            CCU2C #(
                .INIT0(function_of(2 * k)), .INIT1(function_of(2 * k + 1)), .INJECT1_0("NO"), .INJECT1_1("NO")
            ) chain (
                .CIN(carry[k]),
                .A0(pins[2*k][0]), .B0(pins[2*k][1]), .C0(pins[2*k][2]), .D0(pins[2*k][3]),
                .A1(pins[2*k+1][0]), .B1(pins[2*k+1][1]), .C1(pins[2*k+1][2]), .D1(pins[2*k+1][3]),
                .S0(sums[2*k]), .S1(sums[2*k+1]), .COUT(carry[k+1])
            );
        end
    endgenerate
`else
    assign sum = a + b + ({{(WIDTH - 1) {1'b0}}, 1'b1} << HALF);
`endif
endmodule

`resetall
