// Bytes onto a serial line: a start bit, eight data bits with the lowest first, a stop bit. BIT_64THS as in `uart_receiver`.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module uart_transmitter #(
    parameter int BIT_64THS = 1024
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       valid,
    output wire       ready,
    input  wire [7:0] value,
    output reg        line
);
    initial if (BIT_64THS < 256) $fatal(1, "uart_transmitter: a bit takes at least 4 cycles");

    localparam int TIMER_BITS = $clog2(2 * BIT_64THS);

    reg [TIMER_BITS-1:0] timer;
    reg [9:0] bits;  // what is still to be sent after the bit on the line; a one marks the end
    reg busy;
    wire next = timer <= 64;
    assign ready = !busy;

    always @(posedge clk) begin
        timer <= next ? timer + (BIT_64THS - 64) : timer - 64;
        if (!busy) begin
            if (valid) begin
                busy <= 1;
                line <= 0;
                bits <= {2'b11, value};
                timer <= BIT_64THS;
            end
        end else if (next) begin
            if (bits == 10'd1) busy <= 0;
            else line <= bits[0];
            bits <= bits >> 1;
        end
        if (rst) begin
            busy <= 0;
            line <= 1;
        end
    end
endmodule

`resetall
