// Two registers for a level from another clock. Of more than one bit: a Gray code, or a value that stands still while it is looked at.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module synchroniser #(
    parameter int WIDTH = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);
    (* ASYNC_REG = "TRUE", shreg_extract = "no" *) reg [WIDTH-1:0] first, second;
    always @(posedge clk) begin
        first <= rst ? {WIDTH{1'b0}} : d;
        second <= rst ? {WIDTH{1'b0}} : first;
    end
    assign q = second;
endmodule

`resetall
