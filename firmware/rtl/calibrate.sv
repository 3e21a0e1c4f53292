// A probability through the calibration map of its output, two cycles later: 17 knots, linear between them; two sets of knots.
//
// Twin of `calibrate` in pyorch/inference/reference.py. `write` changes a knot of the set `write_set`.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module calibrate #(
    parameter int SCORE_BITS = 24
) (
    input  wire                         clk,
    input  wire                         set,
    input  wire                         write_set,
    input  wire        [          15:0] share,
    output reg  signed [SCORE_BITS-1:0] score,
    input  wire                         write,
    input  wire        [           4:0] write_knot,
    input  wire        [          16:0] write_value
);
    reg [16:0] lower[0:63], upper[0:63];  // the same knots, read at k and k + 1
    wire [4:0] segment = share[15] ? 5'd15 : {1'b0, share[14:11]};
    wire [15:0] from_segment = share - {segment[3:0], 11'd0};
    reg signed [17:0] left, rise;
    reg [15:0] distance;
    wire signed [17:0] left_now = {1'b0, lower[{set, segment}]}, right_now = {1'b0, upper[{set, segment + 5'd1}]};
    wire signed [34:0] product = rise * $signed({1'b0, distance});
    wire signed [34:0] along = product >>> 11;

    always @(posedge clk) begin
        if (write) begin
            lower[{write_set, write_knot}] <= write_value;
            upper[{write_set, write_knot}] <= write_value;
        end
        left <= left_now;
        rise <= right_now - left_now;
        distance <= from_segment;
        score <= left + along[SCORE_BITS-1:0];
    end
endmodule

`resetall
