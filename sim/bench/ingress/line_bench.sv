// A line of the ingress up to the crossing: pins of a PHY to words. RGMII: with a model of the board's registers for both edges.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module line_bench #(
    parameter int RGMII = 0
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [47:0] mac,
    input  wire [31:0] address,
    input  wire [15:0] port,
    input  wire        rx_dv,         // RGMII: control
    input  wire        rx_er,
    input  wire [ 3:0] rx_d,
    output wire        word_valid,
    input  wire        word_ready,
    output wire        word_verdict,
    output wire [63:0] word
);
    wire byte_valid, ends, started, bad, half;
    wire [7:0] byte_value;
    generate
        if (RGMII != 0) begin : g_rgmii
            wire ctl_rise, ctl_fall;
            wire [3:0] d_rise, d_fall;
            both_edges edges (
                .clk(clk), .ctl(rx_dv), .d(rx_d), .ctl_rise(ctl_rise), .ctl_fall(ctl_fall), .d_rise(d_rise), .d_fall(d_fall)
            );
            rgmii_receive phy (
                .clk(clk), .rst(rst), .ctl_rise(ctl_rise), .ctl_fall(ctl_fall), .d_rise(d_rise), .d_fall(d_fall),
                .byte_valid(byte_valid), .byte_value(byte_value), .ends(ends), .started(started), .bad(bad), .half(half)
            );
        end else begin : g_mii
            mii_receive phy (
                .clk(clk), .rst(rst), .rx_dv(rx_dv), .rx_er(rx_er), .rx_d(rx_d), .byte_valid(byte_valid), .byte_value(byte_value),
                .ends(ends), .started(started), .bad(bad), .half(half)
            );
        end
    endgenerate
    datagram_check check (
        .clk(clk), .rst(rst), .mac(mac), .address(address), .port(port), .byte_valid(byte_valid), .byte_value(byte_value), .ends(ends),
        .started(started), .bad(bad), .half(half), .word_valid(word_valid), .word_ready(word_ready), .word_verdict(word_verdict),
        .word(word)
    );
endmodule

`resetall
