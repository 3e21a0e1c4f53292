// A board's input registers for both edges of a clock: what each edge saw, together at the next rising one.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module both_edges (
    input  wire       clk,
    input  wire       ctl,
    input  wire [3:0] d,
    output reg        ctl_rise,
    output reg        ctl_fall,
    output reg  [3:0] d_rise,
    output reg  [3:0] d_fall
);
    reg [4:0] rise, fall;
    always @(posedge clk) rise <= {ctl, d};
    always @(negedge clk) fall <= {ctl, d};
    always @(posedge clk) begin
        {ctl_rise, d_rise} <= rise;
        {ctl_fall, d_fall} <= fall;
    end
endmodule

`resetall
