// Valid and flags of a step behind a cut that is there (ON 1) or not.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module flow #(
    parameter int ON = 1
) (
    input  wire       clk,
    input  wire       rst,
    input  wire [2:0] d,
    output wire [2:0] q
);
    generate
        if (ON != 0) begin : g_register
            reg [2:0] held;
            always @(posedge clk) held <= rst ? 3'd0 : d;
            assign q = held;
        end else begin : g_wire
            assign q = d;
        end
    endgenerate
endmodule

`resetall
