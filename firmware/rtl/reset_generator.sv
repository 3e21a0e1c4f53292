// A reset for `clk`: high from configuration on, while the PLL is not locked or `request` is high, and CYCLES cycles longer.
//
// Asserted without a clock (the PLL has none before it locks), released in step with it.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module reset_generator #(
    parameter int CYCLES = 16
) (
    input  wire clk,
    input  wire locked,
    input  wire request,  // not in step with clk
    output reg  rst
);
    reg [2:0] running = 3'd0;
    reg [$clog2(CYCLES):0] left = CYCLES;
    initial rst = 1'b1;
    wire stop = !locked || request;

    always @(posedge clk or posedge stop)
        if (stop) running <= 3'd0;
        else running <= {running[1:0], 1'b1};

    always @(posedge clk) begin
        if (!running[2]) left <= CYCLES;
        else if (left != 0) left <= left - 1'b1;
        rst <= !running[2] || left != 0;
    end
endmodule

`resetall
