// The ULX3S board: 25 MHz in, PLL, reset, and the fabric behind the serial bridge on the USB serial port.
//
// The core runs on the PLL's clock; the bridge and the fabric's bus run with it, or, if the fabric has two clocks, on the
// oscillator's: the crossings are the fabric's. FIRE1 resets. LEDs: 0 blinks while the clock runs, 1 the bridge is busy, 2 lit for a while
// after any fault, 3 the line to the board is active, 4 the line from it. Pins are named from the USB chip's side.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module ulx3s_top (
    input  wire       clk_25mhz,
    input  wire       ftdi_txd,   // to the FPGA
    output wire       ftdi_rxd,   // from the FPGA
    input  wire       fire_1,
    output reg  [7:0] led,
    output wire       wifi_gpio0
);
    wire core_clk, locked, rst;
    // PLL
    wire clk = core_clk;

    // low would let the wireless module take over the JTAG pins and load its own bitstream
    assign wifi_gpio0 = 1'b1;

    reset_generator resets (
        .clk(clk), .locked(locked), .request(fire_1), .rst(rst)
    );

    wire [11:0] awaddr, araddr;
    wire awvalid, awready, wvalid, wready, bvalid, bready, arvalid, arready, rvalid, rready;
    wire [31:0] wdata, rdata;
    wire [1:0] bresp, rresp;
    wire [63:0] to_fabric, from_fabric;
    wire to_valid, to_last, to_ready, from_valid, from_last, from_ready;
    wire busy, fault, txd;

    serial_bridge #(.BIT_64THS(board_pkg::BIT_64THS), .LIMIT_BITS(board_pkg::LIMIT_BITS)) bridge (
        .clk(clk), .rst(rst), .rxd(ftdi_txd), .txd(txd), .busy(busy), .fault(fault),
        .m_axil_awaddr(awaddr), .m_axil_awvalid(awvalid), .m_axil_awready(awready),
        .m_axil_wdata(wdata), .m_axil_wvalid(wvalid), .m_axil_wready(wready),
        .m_axil_bresp(bresp), .m_axil_bvalid(bvalid), .m_axil_bready(bready),
        .m_axil_araddr(araddr), .m_axil_arvalid(arvalid), .m_axil_arready(arready),
        .m_axil_rdata(rdata), .m_axil_rresp(rresp), .m_axil_rvalid(rvalid), .m_axil_rready(rready),
        .m_axis_tdata(to_fabric), .m_axis_tvalid(to_valid), .m_axis_tlast(to_last), .m_axis_tready(to_ready),
        .s_axis_tdata(from_fabric), .s_axis_tvalid(from_valid), .s_axis_tlast(from_last), .s_axis_tready(from_ready)
    );
    assign ftdi_rxd = txd;

    fabric_top fabric (
        .aclk(clk), .aresetn(!rst),
        .s_axil_awaddr(awaddr), .s_axil_awprot(3'd0), .s_axil_awvalid(awvalid), .s_axil_awready(awready),
        .s_axil_wdata(wdata), .s_axil_wstrb(4'd15), .s_axil_wvalid(wvalid), .s_axil_wready(wready),
        .s_axil_bresp(bresp), .s_axil_bvalid(bvalid), .s_axil_bready(bready),
        .s_axil_araddr(araddr), .s_axil_arprot(3'd0), .s_axil_arvalid(arvalid), .s_axil_arready(arready),
        .s_axil_rdata(rdata), .s_axil_rresp(rresp), .s_axil_rvalid(rvalid), .s_axil_rready(rready),
        .s_axis_tdata(to_fabric), .s_axis_tvalid(to_valid), .s_axis_tlast(to_last), .s_axis_tready(to_ready),
        .m_axis_tdata(from_fabric), .m_axis_tvalid(from_valid), .m_axis_tlast(from_last), .m_axis_tready(from_ready)
    );

    // ---- what a person sees
    reg [24:0] now;
    reg [20:0] fault_seen, to_seen, from_seen;
    always @(posedge clk) begin
        now <= now + 1'b1;
        fault_seen <= fault ? {21{1'b1}} : fault_seen - (fault_seen != 0);
        to_seen <= !ftdi_txd ? {21{1'b1}} : to_seen - (to_seen != 0);
        from_seen <= !txd ? {21{1'b1}} : from_seen - (from_seen != 0);
        led <= {3'd0, from_seen != 0, to_seen != 0, fault_seen != 0, busy, now[24]};
        if (rst) begin
            now <= 0;
            fault_seen <= 0;
            to_seen <= 0;
            from_seen <= 0;
        end
    end
endmodule

`resetall
