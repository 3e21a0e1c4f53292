// Sixteen words in LUT RAM: written at the clock, read at once. All bits share the addresses.
//
// With FABRIC_ECP5 the cells are named, since synthesis does not always find them.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module lut_ram #(
    parameter int WIDTH = 8
) (
    input  wire             clk,
    input  wire             write,
    input  wire [      3:0] write_address,
    input  wire [WIDTH-1:0] data,
    input  wire [      3:0] address,
    output wire [WIDTH-1:0] word
);
`ifdef FABRIC_ECP5
    localparam int CELLS = (WIDTH + 3) / 4;
    wire [4*CELLS-1:0] padded = data;
    wire [4*CELLS-1:0] read;
    assign word = read[WIDTH-1:0];
    genvar k;
    generate
        for (k = 0; k < CELLS; k = k + 1) begin : g_cell
            TRELLIS_DPR16X4 #(
                .WCKMUX("WCK"), .WREMUX("WRE")
            ) four (
                .WCK(clk), .WRE(write), .WAD(write_address), .DI(padded[4*k+:4]), .RAD(address), .DO(read[4*k+:4])
            );
        end
    endgenerate
`else
    reg [WIDTH-1:0] memory[0:15];
    always @(posedge clk) if (write) memory[write_address] <= data;
    assign word = memory[address];
`endif
endmodule

`resetall
