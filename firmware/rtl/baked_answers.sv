// What follows the constant adder trees of a dense layer: conversion, and a queue so that a vector can come every cycle.
//
// HANDSHAKE 1: what comes before holds its vector until `h_ready` (a dense layer; an LSTM layer asks earlier and then pushes).
// `sums` belongs to the h of the cycle before: the trees have one register. y stands 2 cycles after h_valid. `h_ready` counts all that
// is on its way.
// Vectors whose answer is not wanted are swallowed. Ports: docs/rtl.md, "Ports of a dense block"; CHUNK = INPUTS.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module baked_answers #(
    parameter int UNITS = 11,
    parameter int A_WIDTH = 24,
    parameter int A_FRACTION = 18,
    parameter int Y_WIDTH = 16,
    parameter int Y_FRACTION = 10,
    parameter int Y_ROUND = 1,
    parameter int Y_SATURATE = 1,
    parameter int RELU = 0,
    parameter int HANDSHAKE = 0
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     h_valid,
    input  wire                     h_answer,
    output wire                     h_ready,
    input  wire [UNITS*A_WIDTH-1:0] sums,
    output wire                     y_valid,
    input  wire                     y_ready,
    output wire [UNITS*Y_WIDTH-1:0] y,
    output wire                     drained
);
    localparam int PLACES = 4;

    wire coming = h_valid && h_answer && (HANDSHAKE == 0 || h_ready);
    reg summed;
    reg [UNITS*Y_WIDTH-1:0] queue[0:PLACES-1];
    reg [1:0] head, tail;
    reg [2:0] count;
    wire take = y_valid && y_ready;
    assign y_valid = count != 0;
    assign y = queue[head];
    // h_ready: count + summed + what comes < PLACES, from registers, because the whole path back to the input frame hangs on it
    reg room_for_one, room_for_two;
    wire [2:0] count_next = count + summed - take;
    wire [2:0] taken_next = count_next + coming;
    assign h_ready = HANDSHAKE == 0 && h_valid && h_answer ? room_for_two : room_for_one;
    assign drained = !h_valid && !summed && count == 0;

    wire [UNITS*Y_WIDTH-1:0] converted;
    genvar unit;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_unit
            wire signed [A_WIDTH-1:0] sum = sums[unit*A_WIDTH+:A_WIDTH];
            wire signed [A_WIDTH-1:0] active = (RELU != 0 && sum < 0) ? 0 : sum;
            convert #(
                .FROM_WIDTH(A_WIDTH), .FROM_FRACTION(A_FRACTION), .TO_WIDTH(Y_WIDTH), .TO_FRACTION(Y_FRACTION),
                .ROUND(Y_ROUND), .SATURATE(Y_SATURATE)
            ) to_output (.value(active), .converted(converted[unit*Y_WIDTH+:Y_WIDTH]));
        end
    endgenerate

    always @(posedge clk) begin
        summed <= coming && !rst;
        if (summed) begin
            queue[tail] <= converted;
            tail <= tail + 1'b1;
        end
        if (take) head <= head + 1'b1;
        count <= count_next;
        room_for_one <= taken_next < PLACES;
        room_for_two <= taken_next < PLACES - 1;
        if (rst) begin
            head <= 0;
            tail <= 0;
            count <= 0;
            room_for_one <= 1;
            room_for_two <= 1;
        end
    end
endmodule

`resetall
