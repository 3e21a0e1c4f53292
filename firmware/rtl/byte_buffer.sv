// A memory of bytes, one port to write, one to read with one cycle of latency; infers block RAM.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module byte_buffer #(
    parameter int BYTES = 2048,
    parameter int ADDRESS_BITS = $clog2(BYTES)
) (
    input  wire                    clk,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] write_address,
    input  wire [             7:0] write_data,
    input  wire [ADDRESS_BITS-1:0] read_address,
    output reg  [             7:0] read_data
);
    reg [7:0] memory[0:BYTES-1];
    always @(posedge clk) begin
        if (write) memory[write_address] <= write_data;
        read_data <= memory[read_address];
    end
endmodule

`resetall
