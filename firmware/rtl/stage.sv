// A pipeline register, or a wire: ON 1 or 0.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module stage #(
    parameter int WIDTH = 1,
    parameter int ON = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);
    generate
        if (ON != 0) begin : g_register
            reg [WIDTH-1:0] held;
            always @(posedge clk) held <= d;
            assign q = held;
        end else begin : g_wire
            assign q = d;
        end
    endgenerate
endmodule

`resetall
