// The ingress and the decoder behind it: pins of two PHYs in, rows out. RGMII: with a model of the board's registers for both edges.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module ingress_bench #(
    parameter int LINES = 2,
    parameter int RGMII = 0
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        write,
    input  wire [11:0] write_address,
    input  wire [31:0] write_data,
    input  wire [11:0] read_address,
    output wire [31:0] read_data,
    input  wire        a_clk,
    input  wire        a_dv,
    input  wire        a_er,
    input  wire [ 3:0] a_d,
    input  wire        b_clk,
    input  wire        b_dv,
    input  wire        b_er,
    input  wire [ 3:0] b_d,
    output wire        beat_taken,
    output wire        beat_last,
    output wire        row_valid,
    input  wire        row_ready,
    output wire [ 2:0] row_kind,
    output wire [ 1:0] row_side,
    output wire        row_first,
    output wire        row_last,
    output wire [ 7:0] row_instrument,
    output wire        row_stale,
    output wire [31:0] row_number,
    output wire [63:0] row_local_ns,
    output wire [63:0] row_exchange_ns,
    output wire [63:0] row_sequence,
    output wire [63:0] row_before,
    output wire [63:0] row_price_ticks,
    output wire [63:0] row_quantity_lots,
    output wire [31:0] events,
    output wire [31:0] duplicates,
    output wire [31:0] gaps,
    output wire [31:0] lost,
    output wire [31:0] sessions,
    output wire [31:0] malformed,
    output wire [31:0] truncated,
    output wire [31:0] stale
);
    wire [3:0] control;
    wire [15:0] nibbles;
    generate
        if (RGMII != 0) begin : g_rgmii
            both_edges a (
                .clk(a_clk), .ctl(a_dv), .d(a_d), .ctl_rise(control[0]), .ctl_fall(control[1]), .d_rise(nibbles[3:0]),
                .d_fall(nibbles[7:4])
            );
            both_edges b (
                .clk(b_clk), .ctl(b_dv), .d(b_d), .ctl_rise(control[2]), .ctl_fall(control[3]), .d_rise(nibbles[11:8]),
                .d_fall(nibbles[15:12])
            );
        end else begin : g_mii
            assign control = {b_er, b_dv, a_er, a_dv};
            assign nibbles = {4'd0, b_d, 4'd0, a_d};
        end
    endgenerate
    wire [63:0] tdata;
    wire tvalid, tlast, tready;
    wire [1:0] clocks = {b_clk, a_clk};
    udp_ingress #(.LINES(LINES), .RGMII(RGMII)) ingress (
        .clk(clk), .rst(rst), .write(write), .write_address(write_address), .write_data(write_data), .read_address(read_address),
        .read_data(read_data), .rx_clk(clocks[LINES-1:0]), .rx_control(control[2*LINES-1:0]), .rx_data(nibbles[8*LINES-1:0]),
        .m_axis_tdata(tdata), .m_axis_tvalid(tvalid), .m_axis_tlast(tlast), .m_axis_tready(tready)
    );
    assign beat_taken = tvalid && tready;
    assign beat_last = tlast;
    event_decoder decoder (
        .clk(clk), .rst(rst), .stale_on(1'b0), .stale_ns(64'd0), .s_axis_tdata(tdata), .s_axis_tvalid(tvalid), .s_axis_tlast(tlast),
        .s_axis_tready(tready), .row_valid(row_valid), .row_ready(row_ready), .row_kind(row_kind), .row_side(row_side),
        .row_first(row_first), .row_last(row_last), .row_instrument(row_instrument), .row_stale(row_stale), .row_number(row_number),
        .row_local_ns(row_local_ns), .row_exchange_ns(row_exchange_ns), .row_sequence(row_sequence), .row_before(row_before),
        .row_price_ticks(row_price_ticks), .row_quantity_lots(row_quantity_lots), .events(events), .duplicates(duplicates),
        .gaps(gaps), .lost(lost), .sessions(sessions), .malformed(malformed), .truncated(truncated), .stale(stale)
    );
endmodule

`resetall
