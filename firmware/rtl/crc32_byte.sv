// CRC-32 (IEEE 802.3, reflected, as zlib) of one more byte: the remainder before and after it.
//
// Begin with all ones; the check sum is the inverted remainder, sent low byte first. The remainder over data and check sum is 32'hDEBB20E3.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module crc32_byte (
    input  wire [31:0] remainder,
    input  wire [ 7:0] value,
    output reg  [31:0] next
);
    integer k;
    always @* begin
        next = remainder ^ {24'd0, value};
        for (k = 0; k < 8; k = k + 1) next = next[0] ? (next >> 1) ^ 32'hEDB88320 : next >> 1;
    end
endmodule

`resetall
