// Registers of the ingress (docs/registers.md): what is listened to, and every count.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module ingress_registers #(
    parameter int LINES = 2,
    parameter logic [1:0] ON = 0,    // after a reset, as all below
    parameter logic [31:0] WAIT = 0,
    parameter logic [47:0] MAC = 0,
    parameter logic [63:0] ADDRESSES = 0,
    parameter logic [31:0] PORTS = 0
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        write,
    input  wire [11:0] write_address,
    input  wire [31:0] write_data,
    input  wire [11:0] read_address,
    output reg  [31:0] read_data,    // a cycle after `read_address`
    output reg  [LINES-1:0] on,
    output reg  [31:0] wait_cycles,
    output reg  [47:0] mac,
    output reg  [63:0] addresses,
    output reg  [31:0] ports,
    output wire [ 3:0] read_verdict,
    input  wire [LINES*32-1:0] verdicts,    // the counter that `read_verdict` names
    input  wire [LINES*32-1:0] overflows,
    input  wire [LINES*32-1:0] lost,
    input  wire [LINES*32-1:0] duplicates,
    input  wire [LINES*32-1:0] late,
    input  wire [31:0] filled,
    input  wire [31:0] unfilled
);
    always @(posedge clk) begin
        if (write) begin
            case (write_address)
                ingress_registers_pkg::INGRESS_ON: on <= write_data[LINES-1:0];
                ingress_registers_pkg::WAIT_CYCLES: wait_cycles <= write_data;
                ingress_registers_pkg::MAC_HIGH: mac[47:32] <= write_data[15:0];
                ingress_registers_pkg::MAC_LOW: mac[31:0] <= write_data;
                ingress_registers_pkg::ADDRESS_A: addresses[31:0] <= write_data;
                ingress_registers_pkg::ADDRESS_B: addresses[63:32] <= write_data;
                ingress_registers_pkg::PORT_A: ports[15:0] <= write_data[15:0];
                ingress_registers_pkg::PORT_B: ports[31:16] <= write_data[15:0];
                default: ;
            endcase
        end
        if (rst) begin
            on <= ON[LINES-1:0];
            wait_cycles <= WAIT;
            mac <= MAC;
            addresses <= ADDRESSES;
            ports <= PORTS;
        end
    end

    assign read_verdict = read_address[5:2];
    wire of_line = read_address >= ingress_registers_pkg::VERDICTS_A;
    wire line = LINES == 2 && read_address >= ingress_registers_pkg::VERDICTS_B;
    reg [31:0] counter;
    always @* begin
        case (read_address[6:2])  // from VERDICTS_A, or VERDICTS_B, on
            16: counter = line ? overflows[32*LINES-1-:32] : overflows[31:0];
            17: counter = line ? lost[32*LINES-1-:32] : lost[31:0];
            18: counter = line ? duplicates[32*LINES-1-:32] : duplicates[31:0];
            19: counter = line ? late[32*LINES-1-:32] : late[31:0];
            default: counter = read_address[6] ? 32'd0 : line ? verdicts[32*LINES-1-:32] : verdicts[31:0];
        endcase
        if (read_address >= ingress_registers_pkg::LATE_B + 4 || (LINES == 1 && read_address >= ingress_registers_pkg::VERDICTS_B)) counter = 0;
    end
    always @(posedge clk) begin
        case (read_address)
            ingress_registers_pkg::INGRESS_IDENTITY: read_data <= ingress_registers_pkg::IDENTITY_VALUE;
            ingress_registers_pkg::INGRESS_VERSION: read_data <= ingress_registers_pkg::VERSION_VALUE;
            ingress_registers_pkg::INGRESS_ON: read_data <= on;
            ingress_registers_pkg::INGRESS_LINES: read_data <= LINES;
            ingress_registers_pkg::WAIT_CYCLES: read_data <= wait_cycles;
            ingress_registers_pkg::MAC_HIGH: read_data <= mac[47:32];
            ingress_registers_pkg::MAC_LOW: read_data <= mac[31:0];
            ingress_registers_pkg::ADDRESS_A: read_data <= addresses[31:0];
            ingress_registers_pkg::ADDRESS_B: read_data <= addresses[63:32];
            ingress_registers_pkg::PORT_A: read_data <= ports[15:0];
            ingress_registers_pkg::PORT_B: read_data <= ports[31:16];
            ingress_registers_pkg::FILLED: read_data <= filled;
            ingress_registers_pkg::UNFILLED: read_data <= unfilled;
            default: read_data <= of_line ? counter : 32'd0;
        endcase
    end
endmodule

`resetall
