// One line of the ingress: from the pins of a PHY to whole, checked frames in the core's clock.
//
// Beats cross while their frame still comes; its verdict follows. While `on` is low the line is in reset on both sides; it ends when the
// PHY's clock has run.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module udp_line #(
    parameter int RGMII = 0,
    parameter int BEAT_BITS = 9,
    parameter int INSTRUMENTS = 1
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        on,
    input  wire        under_way,     // a frame of this line goes on: the line stays on until its end
    input  wire [47:0] mac,           // these stand still while the line is on
    input  wire [31:0] address,
    input  wire [15:0] port,
    input  wire        rx_clk,
    input  wire [ 1:0] rx_control,    // MII: rx_er, rx_dv; RGMII: control at the falling edge, at the rising one
    input  wire [ 7:0] rx_data,       // MII: in bits 3:0; RGMII: at the falling edge, at the rising one
    output wire        head_valid,
    output wire        head_known,
    output wire [ 3:0] head_session,
    output wire [31:0] head_first,
    output wire [31:0] head_following,
    output wire        crowded,
    output wire [63:0] data,
    output wire        data_last,
    input  wire        take,
    input  wire        drop,
    input  wire [ 3:0] read_verdict,
    output wire [31:0] verdicts,
    output reg  [31:0] overflows
);
    // ---- resets
    wire ready, rx_rst, rx_runs;
    reg off;
    always @(posedge clk) off <= rst || !ready || (!on && !under_way);
    reset_synchroniser receiver (.clk(rx_clk), .request_n(!off), .rst(rx_rst));
    synchroniser running (.clk(clk), .rst(off), .d(!rx_rst), .q(rx_runs));
    wire line_rst = off || !rx_runs;

    // ---- the PHY's clock
    wire byte_valid, ends, started, bad, half;
    wire [7:0] byte_value;
    generate
        if (RGMII != 0) begin : g_rgmii
            rgmii_receive phy (
                .clk(rx_clk), .rst(rx_rst), .ctl_rise(rx_control[0]), .ctl_fall(rx_control[1]), .d_rise(rx_data[3:0]),
                .d_fall(rx_data[7:4]), .byte_valid(byte_valid), .byte_value(byte_value), .ends(ends), .started(started), .bad(bad),
                .half(half)
            );
        end else begin : g_mii
            mii_receive phy (
                .clk(rx_clk), .rst(rx_rst), .rx_dv(rx_control[0]), .rx_er(rx_control[1]), .rx_d(rx_data[3:0]),
                .byte_valid(byte_valid), .byte_value(byte_value), .ends(ends), .started(started), .bad(bad), .half(half)
            );
        end
    endgenerate
    wire put_valid, put_ready, put_verdict, word_valid, word_verdict;
    wire [63:0] put, word;
    datagram_check check (
        .clk(rx_clk), .rst(rx_rst), .mac(mac), .address(address), .port(port), .byte_valid(byte_valid), .byte_value(byte_value),
        .ends(ends), .started(started), .bad(bad), .half(half), .word_valid(put_valid), .word_ready(put_ready),
        .word_verdict(put_verdict), .word(put)
    );
    async_fifo words (
        .w_clk(rx_clk), .w_rst(rx_rst), .w_valid(put_valid), .w_ready(put_ready), .w_data({put_verdict, put}),
        .r_clk(clk), .r_rst(line_rst), .r_valid(word_valid), .r_ready(1'b1), .r_data({word_verdict, word}), .r_empty(), .r_drop(1'b0)
    );

    // ---- the core's clock
    wire counts, is_overflow, has_head;
    assign head_valid = has_head && !line_rst;
    wire [3:0] verdict;
    frame_store #(.BEAT_BITS(BEAT_BITS), .INSTRUMENTS(INSTRUMENTS)) frames (
        .clk(clk), .rst(line_rst), .word_valid(word_valid), .word_verdict(word_verdict), .word(word), .head_valid(has_head),
        .head_known(head_known), .head_session(head_session), .head_first(head_first), .head_following(head_following),
        .crowded(crowded), .data(data), .data_last(data_last), .take(take), .drop(drop), .counts(counts), .verdict(verdict),
        .overflows(is_overflow)
    );
    verdict_counters by_verdict (
        .clk(clk), .rst(rst), .ready(ready), .counts(counts && !is_overflow), .which(verdict), .read_which(read_verdict),
        .value(verdicts)
    );
    always @(posedge clk) overflows <= rst ? 32'd0 : overflows + (counts && is_overflow);
endmodule

`resetall
