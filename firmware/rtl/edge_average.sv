// Moving average of a held value, sampled at the edges between buckets of 2**BUCKET_BITS ns: average += (held - average) >> SHIFT.
//
// `start` takes `now` and samples the value held since at each edge that passed, one a cycle, until nothing changes any more. Not while
// `busy`: `hold` takes a value, `begin_now` one that the average begins with at `now`. Both values have 8 more fraction bits inside.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module edge_average #(
    parameter int BUCKET_BITS = 24,
    parameter int SHIFT = 4,
    parameter int WIDTH = 52
) (
    input  wire                    clk,
    input  wire                    start,
    input  wire                    begin_now,
    input  wire                    hold,
    input  wire        [     63:0] now,
    input  wire signed [WIDTH-1:0] value,
    output reg                     busy,
    output reg  signed [WIDTH+7:0] average
);
    localparam int BITS = 64 - BUCKET_BITS;

    initial begin
        if (BUCKET_BITS < 1 || BUCKET_BITS > 60 || SHIFT < 1) $fatal(1, "edge_average: buckets of 2^1 to 2^60 ns, SHIFT >= 1");
        busy = 0;  // `begin_now` waits for it; what else is kept begins there
    end

    reg [BITS-1:0] bucket, left;
    reg signed [WIDTH+7:0] held;
    wire [BITS-1:0] now_bucket = now[63:BUCKET_BITS];
    wire signed [WIDTH+8:0] apart = held - average;
    wire signed [WIDTH+8:0] change = apart >>> SHIFT;

    always @(posedge clk) begin
        if (start) begin
            bucket <= now_bucket;
            left <= now_bucket - bucket;
            busy <= now_bucket != bucket;
        end else if (busy) begin
            average <= average + change;
            left <= left - 1'b1;
            busy <= left != 1 && change != 0;
        end
        if (begin_now) begin
            bucket <= now_bucket;
            average <= {value, 8'd0};
            busy <= 0;
        end
        if (begin_now || hold) held <= {value, 8'd0};
    end
endmodule

`resetall
