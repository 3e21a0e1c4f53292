// The IPv4 header of an Ethernet frame: no options, not a fragment, UDP, to our address, and its checksum.
//
// `fault` stands from the byte that showed it, of the checksum two bytes behind the header.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module ipv4_check (
    input  wire        clk,
    input  wire        restart,
    input  wire [31:0] address,
    input  wire        byte_valid,
    input  wire [ 7:0] byte_value,
    input  wire [10:0] index,        // in the frame
    output reg  [15:0] length,       // of the datagram, header included
    output reg  [ 3:0] fault
);
    localparam int AT = 14, HEADER = 20, LEAST = 28;

    reg [7:0] held;
    reg [16:0] sum;                  // its carry is added with the next word
    wire [16:0] added = sum[15:0] + (index < AT + HEADER && index[0] ? {held, byte_value} : 16'd0) + sum[16];
    reg [31:0] wanted;
    always @(posedge clk) begin
        if (byte_valid) begin
            held <= byte_value;
            if (index >= AT) sum <= added;
            if (index >= AT + 16) wanted <= {wanted[23:0], 8'd0};
            if (index == AT + 2 || index == AT + 3) length <= {length[7:0], byte_value};
            if (fault == verdict_pkg::ACCEPTED) begin
                case (index)
                    AT: if (byte_value != 8'h45) fault <= verdict_pkg::BAD_HEADER;
                    AT + 3: if ({length[7:0], byte_value} < LEAST) fault <= verdict_pkg::BAD_HEADER;
                    AT + 6: if (byte_value[5:0] != 0) fault <= verdict_pkg::FRAGMENT;
                    AT + 7: if (byte_value != 0) fault <= verdict_pkg::FRAGMENT;
                    AT + 9: if (byte_value != 17) fault <= verdict_pkg::OTHER_PROTOCOL;
                    AT + 16, AT + 17, AT + 18, AT + 19: if (byte_value != wanted[31:24]) fault <= verdict_pkg::OTHER_ADDRESS;
                    AT + 21: if (sum != 17'h0FFFF) fault <= verdict_pkg::HEADER_CHECKSUM;
                    default: ;
                endcase
            end
        end
        if (restart) begin
            sum <= 0;
            wanted <= address;
            fault <= verdict_pkg::ACCEPTED;
        end
    end
endmodule

`resetall
