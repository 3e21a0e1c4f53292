// A fabric between registers, so that place and route judges the fabric and not the pins.
//
// scan_in is shifted through a chain as long as all inputs; load copies the chain into the registers that
// drive the fabric, and the fabric's outputs into a second chain, which is shifted to scan_out. Every input can
// have every value and every output is seen, so synthesis can remove nothing that a host could reach.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module timing_harness (
    input  wire clock_25mhz,
    input  wire reset_n,
    input  wire scan_in,
    input  wire load,
    output reg  scan_out
);
    wire clk, locked;
    // PLL

    localparam int INPUTS = 138;
    localparam int OUTPUTS = 109;

    reg [INPUTS-1:0] chain_in, driven;
    reg [OUTPUTS-1:0] chain_out, seen;
    wire [OUTPUTS-1:0] result;
    reg [1:0] resets;
    reg scan, load_0, load_1;

    always @(posedge clk) begin
        resets <= {resets[0], reset_n && locked};
        scan <= scan_in;
        load_0 <= load;
        load_1 <= load_0;
        chain_in <= {chain_in[INPUTS-2:0], scan};
        if (load_1) driven <= chain_in;
        seen <= result;
        chain_out <= load_1 ? seen : {chain_out[OUTPUTS-2:0], 1'b0};
        scan_out <= chain_out[OUTPUTS-1];
    end

    fabric_top fabric (
        .aclk(clk),
        .aresetn(resets[1]),
        .s_axil_awaddr(driven[0+:12]),
        .s_axil_awprot(driven[12+:3]),
        .s_axil_awvalid(driven[15]),
        .s_axil_awready(result[0]),
        .s_axil_wdata(driven[16+:32]),
        .s_axil_wstrb(driven[48+:4]),
        .s_axil_wvalid(driven[52]),
        .s_axil_wready(result[1]),
        .s_axil_bresp(result[2+:2]),
        .s_axil_bvalid(result[4]),
        .s_axil_bready(driven[53]),
        .s_axil_araddr(driven[54+:12]),
        .s_axil_arprot(driven[66+:3]),
        .s_axil_arvalid(driven[69]),
        .s_axil_arready(result[5]),
        .s_axil_rdata(result[6+:32]),
        .s_axil_rresp(result[38+:2]),
        .s_axil_rvalid(result[40]),
        .s_axil_rready(driven[70]),
        .s_axis_tdata(driven[71+:64]),
        .s_axis_tvalid(driven[135]),
        .s_axis_tlast(driven[136]),
        .s_axis_tready(result[41]),
        .m_axis_tdata(result[42+:64]),
        .m_axis_tvalid(result[106]),
        .m_axis_tlast(result[107]),
        .m_axis_tready(driven[137])
    );
    assign result[108] = locked;
endmodule

`resetall
