// Bytes from a serial line: a start bit, eight data bits with the lowest first, a stop bit.
//
// BIT_64THS is the length of a bit in 1/64 cycles of clk, at least 4 cycles, so that any baud is met within 1/128 cycle a bit.
// `valid` is high for one cycle; `bad` with it: there was no stop bit, the value means nothing. The line is synchronised here.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module uart_receiver #(
    parameter int BIT_64THS = 1024
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       line,
    output reg        valid,
    output reg        bad,
    output reg  [7:0] value
);
    initial if (BIT_64THS < 256) $fatal(1, "uart_receiver: a bit takes at least 4 cycles");

    localparam int TIMER_BITS = $clog2(2 * BIT_64THS);
    localparam [2:0] IDLE = 0, START = 1, DATA = 2, STOP = 3, REST = 4;

    reg [2:0] synchronised;
    wire level = synchronised[2];
    reg [2:0] state;
    reg [TIMER_BITS-1:0] timer;
    reg [2:0] count;
    wire sample = timer <= 64;

    always @(posedge clk) begin
        synchronised <= {synchronised[1:0], line};
        valid <= 0;
        bad <= 0;
        timer <= sample ? timer + (BIT_64THS - 64) : timer - 64;
        case (state)
            IDLE:
            if (!level) begin
                state <= START;
                timer <= BIT_64THS / 2;
            end
            START:
            if (sample) begin
                state <= level ? IDLE : DATA;  // shorter than half a bit: no start
                count <= 0;
            end
            DATA:
            if (sample) begin
                value <= {level, value[7:1]};
                count <= count + 1'b1;
                if (&count) state <= STOP;
            end
            STOP:
            if (sample) begin
                valid <= 1;
                bad <= !level;
                state <= level ? IDLE : REST;
            end
            default: if (level) state <= IDLE;  // the line must rest before another byte can begin
        endcase
        if (rst) begin
            synchronised <= 3'b111;
            state <= IDLE;
            valid <= 0;
        end
    end
endmodule

`resetall
