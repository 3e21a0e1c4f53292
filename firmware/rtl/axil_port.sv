// An AXI4-Lite slave as single writes and reads: one transaction at a time in each direction.
//
// `write` is high for one cycle with `write_address` and `write_data`; the response waits until `write_busy` is low. A write with a
// partial strobe is refused with SLVERR. `read` is high for one cycle with `read_address`; `read_data` is taken READ_CYCLES later.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axil_port #(
    parameter int READ_CYCLES = 5
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [11:0] s_axil_awaddr,
    input  wire        s_axil_awvalid,
    output wire        s_axil_awready,
    input  wire [31:0] s_axil_wdata,
    input  wire [ 3:0] s_axil_wstrb,
    input  wire        s_axil_wvalid,
    output wire        s_axil_wready,
    output reg  [ 1:0] s_axil_bresp,
    output reg         s_axil_bvalid,
    input  wire        s_axil_bready,
    input  wire [11:0] s_axil_araddr,
    input  wire        s_axil_arvalid,
    output wire        s_axil_arready,
    output reg  [31:0] s_axil_rdata,
    output wire [ 1:0] s_axil_rresp,
    output reg         s_axil_rvalid,
    input  wire        s_axil_rready,
    output reg         write,
    output reg  [11:0] write_address,
    output reg  [31:0] write_data,
    output reg         refused,
    input  wire        write_busy,
    output reg         read,
    output reg  [11:0] read_address,
    input  wire [31:0] read_data
);
    reg responding;
    wire accept = s_axil_awvalid && s_axil_wvalid && !responding && !s_axil_bvalid && !rst;
    assign s_axil_awready = accept;
    assign s_axil_wready = accept;

    reg [READ_CYCLES:0] reading;
    assign s_axil_arready = s_axil_arvalid && reading == 0 && !s_axil_rvalid && !rst;
    assign s_axil_rresp = 2'b00;

    always @(posedge clk) begin
        write <= 0;
        refused <= 0;
        if (accept) begin
            write <= &s_axil_wstrb;
            refused <= !(&s_axil_wstrb);
            write_address <= {s_axil_awaddr[11:2], 2'b00};
            write_data <= s_axil_wdata;
            s_axil_bresp <= (&s_axil_wstrb) ? 2'b00 : 2'b10;
            responding <= 1;
        end
        if (responding && !write && !write_busy) begin
            responding <= 0;
            s_axil_bvalid <= 1;
        end
        if (s_axil_bvalid && s_axil_bready) s_axil_bvalid <= 0;

        read <= 0;
        reading <= {reading[READ_CYCLES-1:0], 1'b0};
        if (s_axil_arvalid && s_axil_arready) begin
            read <= 1;
            read_address <= {s_axil_araddr[11:2], 2'b00};
            reading <= 1;
        end
        if (reading[READ_CYCLES]) begin
            s_axil_rvalid <= 1;
            s_axil_rdata <= read_data;
        end
        if (s_axil_rvalid && s_axil_rready) s_axil_rvalid <= 0;
        if (rst) begin
            write <= 0;
            refused <= 0;
            responding <= 0;
            s_axil_bvalid <= 0;
            read <= 0;
            reading <= 0;
            s_axil_rvalid <= 0;
        end
    end
endmodule

`resetall
