// A feature path with its ingress: pins of two PHYs with MII in, decision words out; of the registers, reads alone.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module decisions_bench (
    input  wire        clk,
    input  wire        resetn,
    input  wire [11:0] read_address,
    input  wire        read,
    output wire        read_taken,
    output wire        read_done,
    output wire [31:0] read_data,
    input  wire        a_clk,
    input  wire        a_dv,
    input  wire        a_er,
    input  wire [ 3:0] a_d,
    input  wire        b_clk,
    input  wire        b_dv,
    input  wire        b_er,
    input  wire [ 3:0] b_d,
    output wire [63:0] word,
    output wire        word_valid,
    output wire        word_last
);
    events_top path (
        .aclk(clk), .aresetn(resetn), .s_axil_awaddr(12'd0), .s_axil_awprot(3'd0), .s_axil_awvalid(1'b0), .s_axil_awready(),
        .s_axil_wdata(32'd0), .s_axil_wstrb(4'd0), .s_axil_wvalid(1'b0), .s_axil_wready(), .s_axil_bresp(), .s_axil_bvalid(),
        .s_axil_bready(1'b1), .s_axil_araddr(read_address), .s_axil_arprot(3'd0), .s_axil_arvalid(read), .s_axil_arready(read_taken),
        .s_axil_rdata(read_data), .s_axil_rresp(), .s_axil_rvalid(read_done), .s_axil_rready(1'b1), .m_axis_tdata(word),
        .m_axis_tvalid(word_valid), .m_axis_tlast(word_last), .m_axis_tready(1'b1), .rx_clk({b_clk, a_clk}),
        .rx_control({b_er, b_dv, a_er, a_dv}), .rx_data({4'd0, b_d, 4'd0, a_d}), .stages()
    );
endmodule

`resetall
