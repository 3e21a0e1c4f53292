// Sixteen counters of 32 bits in LUT RAM, one counted at a time. They are zero, and `ready`, 16 cycles after the reset.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module verdict_counters (
    input  wire        clk,
    input  wire        rst,
    output wire        ready,
    input  wire        counts,
    input  wire [ 3:0] which,
    input  wire [ 3:0] read_which,
    output wire [31:0] value
);
    reg [4:0] cleared;
    assign ready = cleared[4];
    wire [31:0] old;
    wire [31:0] written = ready ? old + 1'b1 : 32'd0;
    wire [3:0] place = ready ? which : cleared[3:0];
    lut_ram #(.WIDTH(32)) counted (
        .clk(clk), .write(counts || !ready), .write_address(place), .data(written), .address(which), .word(old)
    );
    lut_ram #(.WIDTH(32)) shown (
        .clk(clk), .write(counts || !ready), .write_address(place), .data(written), .address(read_which), .word(value)
    );
    always @(posedge clk) cleared <= rst ? 5'd0 : cleared + !ready;
endmodule

`resetall
