// Registers of the ingress (docs/registers.md): what is listened to, and every count.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module ingress_registers
    import ingress_registers_pkg::*;
#(
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
                INGRESS_ON: on <= write_data[LINES-1:0];
                WAIT_CYCLES: wait_cycles <= write_data;
                MAC_HIGH: mac[47:32] <= write_data[15:0];
                MAC_LOW: mac[31:0] <= write_data;
                ADDRESS_A: addresses[31:0] <= write_data;
                ADDRESS_B: addresses[63:32] <= write_data;
                PORT_A: ports[15:0] <= write_data[15:0];
                PORT_B: ports[31:16] <= write_data[15:0];
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
    wire of_line = read_address >= VERDICTS_A;
    wire line = LINES == 2 && read_address >= VERDICTS_B;
    reg [31:0] counter;
    always @* begin
        case (read_address[7:0])
            OVERFLOWS_A[7:0], OVERFLOWS_B[7:0]: counter = line ? overflows[32*LINES-1-:32] : overflows[31:0];
            LOST_A[7:0], LOST_B[7:0]: counter = line ? lost[32*LINES-1-:32] : lost[31:0];
            DUPLICATES_A[7:0], DUPLICATES_B[7:0]: counter = line ? duplicates[32*LINES-1-:32] : duplicates[31:0];
            LATE_A[7:0], LATE_B[7:0]: counter = line ? late[32*LINES-1-:32] : late[31:0];
            default: counter = line ? verdicts[32*LINES-1-:32] : verdicts[31:0];
        endcase
        if (read_address >= LATE_B + 4 || (LINES == 1 && read_address >= VERDICTS_B) || (read_address[6] && read_address[5:4] != 0))
            counter = 0;
    end
    always @(posedge clk) begin
        case (read_address)
            INGRESS_IDENTITY: read_data <= IDENTITY_VALUE;
            INGRESS_VERSION: read_data <= VERSION_VALUE;
            INGRESS_ON: read_data <= on;
            INGRESS_LINES: read_data <= LINES;
            WAIT_CYCLES: read_data <= wait_cycles;
            MAC_HIGH: read_data <= mac[47:32];
            MAC_LOW: read_data <= mac[31:0];
            ADDRESS_A: read_data <= addresses[31:0];
            ADDRESS_B: read_data <= addresses[63:32];
            PORT_A: read_data <= ports[15:0];
            PORT_B: read_data <= ports[31:16];
            FILLED: read_data <= filled;
            UNFILLED: read_data <= unfilled;
            default: read_data <= of_line ? counter : 32'd0;
        endcase
    end
endmodule

`resetall
