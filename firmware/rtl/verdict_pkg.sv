// What becomes of a carrier on a line; twin of `Verdict` in pyorch/market/datagram.py.
`resetall
`timescale 1ns / 1ps
`default_nettype none

package verdict_pkg;
    localparam logic [3:0] ACCEPTED = 0, NO_START = 1, BAD_SYMBOL = 2, TRUNCATED = 3, OVERSIZE = 4, BAD_FCS = 5, OTHER_MAC = 6;
    localparam logic [3:0] OTHER_TYPE = 7, BAD_HEADER = 8, FRAGMENT = 9, OTHER_PROTOCOL = 10, OTHER_ADDRESS = 11;
    localparam logic [3:0] HEADER_CHECKSUM = 12, OTHER_PORT = 13, BAD_LENGTH = 14, BAD_CHECKSUM = 15;
endpackage

`resetall
