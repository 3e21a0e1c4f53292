// Market events from UDP datagrams (docs/udp.md): one line or two that carry the same, each from its PHY; checked frames come out.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module udp_ingress #(
    parameter int LINES = 2,
    parameter int RGMII = 0,
    parameter int BEAT_BITS = 9,     // each line's store holds 2^n - 1 beats
    parameter int INSTRUMENTS = 1,
    parameter int QUIET_BITS = 26,
    parameter logic [1:0] ON = 0,
    parameter logic [31:0] WAIT = 0,
    parameter logic [47:0] MAC = 0,
    parameter logic [63:0] ADDRESSES = 0,
    parameter logic [31:0] PORTS = 0
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        write,        // registers at 0x800 and above
    input  wire [11:0] write_address,
    input  wire [31:0] write_data,
    input  wire [11:0] read_address,
    output wire [31:0] read_data,
    input  wire [  LINES-1:0] rx_clk,
    input  wire [2*LINES-1:0] rx_control,
    input  wire [8*LINES-1:0] rx_data,
    output wire [63:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    output wire        m_axis_tlast,
    input  wire        m_axis_tready
);
    wire [LINES-1:0] on, head_valid, head_known, crowded, data_last, take, drop, busy;
    wire [LINES*4-1:0] head_session;
    wire [LINES*32-1:0] head_first, head_following, verdicts, overflows, lost, duplicates, late;
    wire [LINES*64-1:0] data;
    wire [31:0] wait_cycles, filled, unfilled, ports;
    wire [47:0] mac;
    wire [63:0] addresses;
    wire [3:0] read_verdict;

    ingress_registers #(
        .LINES(LINES), .ON(ON), .WAIT(WAIT), .MAC(MAC), .ADDRESSES(ADDRESSES), .PORTS(PORTS)
    ) registers (
        .clk(clk), .rst(rst), .write(write), .write_address(write_address), .write_data(write_data), .read_address(read_address),
        .read_data(read_data), .on(on), .wait_cycles(wait_cycles), .mac(mac), .addresses(addresses), .ports(ports),
        .read_verdict(read_verdict), .verdicts(verdicts), .overflows(overflows), .lost(lost), .duplicates(duplicates), .late(late),
        .filled(filled), .unfilled(unfilled)
    );
    genvar k;
    generate
        for (k = 0; k < LINES; k = k + 1) begin : g_line
            udp_line #(.RGMII(RGMII), .BEAT_BITS(BEAT_BITS), .INSTRUMENTS(INSTRUMENTS)) line (
                .clk(clk), .rst(rst), .on(on[k]), .under_way(busy[k]), .mac(mac), .address(addresses[32*k+:32]), .port(ports[16*k+:16]),
                .rx_clk(rx_clk[k]), .rx_control(rx_control[2*k+:2]), .rx_data(rx_data[8*k+:8]), .head_valid(head_valid[k]),
                .head_known(head_known[k]), .head_session(head_session[4*k+:4]), .head_first(head_first[32*k+:32]),
                .head_following(head_following[32*k+:32]), .crowded(crowded[k]), .data(data[64*k+:64]), .data_last(data_last[k]),
                .take(take[k]), .drop(drop[k]), .read_verdict(read_verdict), .verdicts(verdicts[32*k+:32]),
                .overflows(overflows[32*k+:32])
            );
        end
    endgenerate
    line_arbiter #(.LINES(LINES), .QUIET_BITS(QUIET_BITS)) arbiter (
        .clk(clk), .rst(rst), .on(on), .wait_cycles(wait_cycles), .head_valid(head_valid), .head_known(head_known),
        .head_session(head_session), .head_first(head_first), .head_following(head_following), .crowded(crowded), .data(data),
        .data_last(data_last), .take(take), .drop(drop), .busy(busy), .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid),
        .m_axis_tlast(m_axis_tlast), .m_axis_tready(m_axis_tready), .lost(lost), .duplicates(duplicates), .late(late),
        .filled(filled), .unfilled(unfilled)
    );
endmodule

`resetall
