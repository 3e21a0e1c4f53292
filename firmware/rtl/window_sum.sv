// Sum of what was added in the bucket of `now` and in the seven before it; a bucket is 2**BUCKET_BITS ns. Sums wrap at 64 bits.
//
// `start` takes `now` (which never goes back) and forgets what is too old, a bucket a cycle; with `clear` all. `add` not while `busy`.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module window_sum #(
    parameter int BUCKET_BITS = 24
) (
    input  wire        clk,
    input  wire        start,
    input  wire        clear,
    input  wire [63:0] now,
    output wire        busy,
    input  wire        add,
    input  wire [63:0] value,
    output reg  [63:0] total
);
    localparam int BITS = 64 - BUCKET_BITS;

    initial if (BUCKET_BITS < 1 || BUCKET_BITS > 60) $fatal(1, "window_sum: buckets of 2^1 to 2^60 ns");

    reg [BITS-1:0] bucket;
    reg [2:0] place = 0, left = 0;  // where additions go; buckets still to forget
    reg [7:0] some;         // places that hold a sum
    reg [63:0] sums[0:7];

    wire [BITS-1:0] now_bucket = now[63:BUCKET_BITS];
    wire [BITS-1:0] passed = now_bucket - bucket;
    wire [2:0] next = place + 3'd1;
    wire [2:0] read = left != 0 ? next : place;
    wire [63:0] held = some[read] ? sums[read] : 64'd0;
    assign busy = left != 0;

    always @(posedge clk) begin
        if (start) begin
            bucket <= now_bucket;
            if (clear || passed[BITS-1:3] != 0) begin
                some <= 0;
                total <= 0;
                left <= 0;
            end else left <= passed[2:0];
        end else if (left != 0) begin
            total <= total - held;
            some[next] <= 0;
            place <= next;
            left <= left - 1'b1;
        end else if (add) begin
            total <= total + value;
            some[place] <= 1;
        end
        if (add) sums[place] <= held + value;
    end
endmodule

`resetall
