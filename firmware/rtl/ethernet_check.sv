// An Ethernet frame, byte by byte: its length, destination, type and check sequence.
//
// A multicast group (224.0.0.0/4) is listened to at the address that belongs to it (RFC 1112), else `mac` is ours. `fault` stands from the
// byte that showed it; the rest is true once the last byte has come. `restart` ends a frame.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module ethernet_check (
    input  wire        clk,
    input  wire        restart,
    input  wire [47:0] mac,          // first byte on the line: the highest
    input  wire [31:0] address,
    input  wire        byte_valid,
    input  wire [ 7:0] byte_value,
    output reg  [10:0] index,        // of the byte that comes; stands at 1519
    output reg  [ 3:0] fault,
    output wire        is_short,
    output wire        is_long,
    output wire        fcs_right
);
    localparam int SHORTEST = 64, LONGEST = 1518;

    reg [31:0] remainder;
    wire [31:0] next;
    crc32_byte check (.remainder(remainder), .value(byte_value), .next(next));
    assign fcs_right = remainder == 32'hDEBB20E3;
    assign is_short = index < SHORTEST;
    assign is_long = index > LONGEST;

    wire [47:0] ours = address[31:28] == 4'hE ? {24'h01005E, 1'b0, address[22:0]} : mac;
    reg [47:0] wanted;               // what is left of the destination, and what is behind it
    always @(posedge clk) begin
        if (byte_valid) begin
            remainder <= next;
            if (!is_long) index <= index + 1'b1;
            wanted <= {wanted[39:0], 8'd0};
            if (fault == verdict_pkg::ACCEPTED) begin
                if (index < 6 && byte_value != wanted[47:40]) fault <= verdict_pkg::OTHER_MAC;
                if ((index == 12 && byte_value != 8'h08) || (index == 13 && byte_value != 8'h00)) fault <= verdict_pkg::OTHER_TYPE;
            end
        end
        if (restart) begin
            remainder <= 32'hFFFFFFFF;
            index <= 0;
            wanted <= ours;
            fault <= verdict_pkg::ACCEPTED;
        end
    end
endmodule

`resetall
