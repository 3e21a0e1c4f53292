// AXI4-Lite between two clocks: one write and one read at a time, each through a handshake.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axil_crossing (
    input  wire        clk,
    input  wire        rst,
    input  wire [11:0] s_axil_awaddr,
    input  wire        s_axil_awvalid,
    output wire        s_axil_awready,
    input  wire [31:0] s_axil_wdata,
    input  wire [ 3:0] s_axil_wstrb,
    input  wire        s_axil_wvalid,
    output wire        s_axil_wready,
    output wire [ 1:0] s_axil_bresp,
    output reg         s_axil_bvalid,
    input  wire        s_axil_bready,
    input  wire [11:0] s_axil_araddr,
    input  wire        s_axil_arvalid,
    output wire        s_axil_arready,
    output wire [31:0] s_axil_rdata,
    output wire [ 1:0] s_axil_rresp,
    output reg         s_axil_rvalid,
    input  wire        s_axil_rready,
    input  wire        core_clk,
    input  wire        core_rst,
    output wire [11:0] m_axil_awaddr,
    output wire        m_axil_awvalid,
    input  wire        m_axil_awready,
    output wire [31:0] m_axil_wdata,
    output wire [ 3:0] m_axil_wstrb,
    output wire        m_axil_wvalid,
    input  wire        m_axil_wready,
    input  wire [ 1:0] m_axil_bresp,
    input  wire        m_axil_bvalid,
    output wire        m_axil_bready,
    output wire [11:0] m_axil_araddr,
    output wire        m_axil_arvalid,
    input  wire        m_axil_arready,
    input  wire [31:0] m_axil_rdata,
    input  wire [ 1:0] m_axil_rresp,
    input  wire        m_axil_rvalid,
    output wire        m_axil_rready
);
    // the slave beyond takes address and data in the same cycle; the master here may give them in any order
    wire w_busy, w_done, w_asked, r_busy, r_done, r_asked;
    wire w_ask = s_axil_awvalid && s_axil_wvalid && !w_busy && !s_axil_bvalid && !rst;
    wire r_ask = s_axil_arvalid && !r_busy && !s_axil_rvalid && !rst;
    assign s_axil_awready = w_ask;
    assign s_axil_wready = w_ask;
    assign s_axil_arready = r_ask;

    reg w_given, r_given;  // the request has been taken beyond
    handshake_crossing #(.REQUEST(48), .ANSWER(2)) writes (
        .clk(clk), .rst(rst), .ask(w_ask), .request({s_axil_awaddr, s_axil_wdata, s_axil_wstrb}),
        .busy(w_busy), .done(w_done), .answer(s_axil_bresp),
        .there_clk(core_clk), .there_rst(core_rst), .asked(w_asked),
        .asked_for({m_axil_awaddr, m_axil_wdata, m_axil_wstrb}), .answered(w_given && m_axil_bvalid),
        .answer_given(m_axil_bresp)
    );
    handshake_crossing #(.REQUEST(12), .ANSWER(34)) reads (
        .clk(clk), .rst(rst), .ask(r_ask), .request(s_axil_araddr),
        .busy(r_busy), .done(r_done), .answer({s_axil_rresp, s_axil_rdata}),
        .there_clk(core_clk), .there_rst(core_rst), .asked(r_asked), .asked_for(m_axil_araddr),
        .answered(r_given && m_axil_rvalid), .answer_given({m_axil_rresp, m_axil_rdata})
    );
    always @(posedge clk) begin
        if (s_axil_bvalid && s_axil_bready) s_axil_bvalid <= 0;
        if (w_done) s_axil_bvalid <= 1;
        if (s_axil_rvalid && s_axil_rready) s_axil_rvalid <= 0;
        if (r_done) s_axil_rvalid <= 1;
        if (rst) begin
            s_axil_bvalid <= 0;
            s_axil_rvalid <= 0;
        end
    end

    assign m_axil_awvalid = w_asked && !w_given;
    assign m_axil_wvalid = w_asked && !w_given;
    assign m_axil_bready = w_given;
    assign m_axil_arvalid = r_asked && !r_given;
    assign m_axil_rready = r_given;
    always @(posedge core_clk) begin
        if (m_axil_awvalid && m_axil_awready) w_given <= 1;
        if (w_given && m_axil_bvalid) w_given <= 0;
        if (m_axil_arvalid && m_axil_arready) r_given <= 1;
        if (r_given && m_axil_rvalid) r_given <= 0;
        if (core_rst) begin
            w_given <= 0;
            r_given <= 0;
        end
    end
endmodule

`resetall
