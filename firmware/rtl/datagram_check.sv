// Bytes of Ethernet frames become beats of the payloads that are ours, and a verdict behind each carrier (`verdict_pkg`).
//
// Beats are written while the frame comes; only the verdict says whether they may be used. Where the taker has no room for a word, all
// carriers that end before it has some again are one overflow.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module datagram_check (
    input  wire        clk,
    input  wire        rst,
    input  wire [47:0] mac,
    input  wire [31:0] address,
    input  wire [15:0] port,
    input  wire        byte_valid,
    input  wire [ 7:0] byte_value,
    input  wire        ends,
    input  wire        started,
    input  wire        bad,
    input  wire        half,
    output wire        word_valid,
    input  wire        word_ready,
    output wire        word_verdict,   // else a beat; of a verdict: 3:0 what it is, 4 overflow
    output wire [63:0] word
);
    wire restart = ends || rst;
    wire [10:0] index;
    wire [3:0] ethernet_fault, ip_fault, udp_fault;
    wire is_short, is_long, fcs_right, payload, fills, whole, sum_right;
    wire [15:0] ip_length;
    ethernet_check ethernet (
        .clk(clk), .restart(restart), .mac(mac), .address(address), .byte_valid(byte_valid), .byte_value(byte_value), .index(index),
        .fault(ethernet_fault), .is_short(is_short), .is_long(is_long), .fcs_right(fcs_right)
    );
    ipv4_check ip (
        .clk(clk), .restart(restart), .address(address), .byte_valid(byte_valid), .byte_value(byte_value), .index(index),
        .length(ip_length), .fault(ip_fault)
    );
    udp_check udp (
        .clk(clk), .restart(restart), .port(port), .byte_valid(byte_valid), .byte_value(byte_value), .index(index),
        .ip_length(ip_length), .fault(udp_fault), .payload(payload), .fills(fills), .whole(whole), .sum_right(sum_right)
    );

    // the first of the frame's faults; what would spoil the others comes before them
    wire [3:0] fault = ethernet_fault != verdict_pkg::ACCEPTED ? ethernet_fault : ip_fault != verdict_pkg::ACCEPTED ? ip_fault : udp_fault;
    wire [3:0] verdict = !started ? verdict_pkg::NO_START : bad ? verdict_pkg::BAD_SYMBOL : is_short || half ? verdict_pkg::TRUNCATED : is_long ? verdict_pkg::OVERSIZE
                       : !fcs_right ? verdict_pkg::BAD_FCS : fault != verdict_pkg::ACCEPTED ? fault : !whole ? verdict_pkg::TRUNCATED : !sum_right ? verdict_pkg::BAD_CHECKSUM : verdict_pkg::ACCEPTED;

    reg [55:0] bytes;
    reg spilt, owed;                   // a beat found no room; a verdict waits for room
    wire beat = fills && fault == verdict_pkg::ACCEPTED && !spilt;
    assign word_verdict = ends || owed;
    assign word_valid = word_verdict || beat;
    assign word = word_verdict ? {59'd0, spilt || owed, verdict} : {byte_value, bytes};
    always @(posedge clk) begin
        if (payload) bytes <= {byte_value, bytes[55:8]};
        if (beat && (!word_ready || owed)) spilt <= 1;
        if (word_verdict) owed <= !word_ready;
        if (restart) spilt <= 0;
        if (rst) owed <= 0;
    end
endmodule

`resetall
