// A reset for another clock: it begins at once, without that clock if need be, and ends at the third edge after the request has ended.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module reset_synchroniser (
    input  wire clk,
    input  wire request_n,
    output wire rst
);
    (* ASYNC_REG = "TRUE", shreg_extract = "no" *) reg [2:0] chain = 3'b111;
    always @(posedge clk or negedge request_n)
        if (!request_n) chain <= 3'b111;
        else chain <= {chain[1:0], 1'b0};
    assign rst = chain[2];
endmodule

`resetall
