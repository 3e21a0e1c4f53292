// A queue of a few words in registers: what is put in comes out in order, one cycle later at the earliest.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module small_queue #(
    parameter int WIDTH = 8,
    parameter int PLACES = 2
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [WIDTH-1:0] in,
    output wire             out_valid,
    input  wire             out_ready,
    output wire [WIDTH-1:0] out
);
    localparam int BITS = $clog2(PLACES);

    initial if (PLACES < 2 || PLACES != 1 << BITS) $fatal(1, "small_queue: PLACES is a power of 2, at least 2");

    reg [WIDTH-1:0] places[0:PLACES-1];
    reg [BITS-1:0] head, tail;
    reg [BITS:0] count;
    wire put = in_valid && in_ready, take = out_valid && out_ready;
    assign in_ready = count != PLACES;
    assign out_valid = count != 0;
    assign out = places[head];

    always @(posedge clk) begin
        if (put) begin
            places[tail] <= in;
            tail <= tail + 1'b1;
        end
        if (take) head <= head + 1'b1;
        count <= count + put - take;
        if (rst) begin
            head <= 0;
            tail <= 0;
            count <= 0;
        end
    end
endmodule

`resetall
