// ROWS accumulators of ITERATIONS terms, each term PLANES bits above the one before.
//
// `start` stands for the first term, which comes DELAY cycles later in `terms`; the others follow it. `on_top` (with `start`): the sums
// before this one are added to, else `base`. `sums` stands DELAY + ITERATIONS cycles after `start`, until the next first term.
// Rows come in clusters of CLUSTER, each with its own copy of what goes to all. Precondition: DELAY >= 1.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module da_accumulate #(
    parameter int ROWS = 16,
    parameter int PLANES = 1,
    parameter int ITERATIONS = 8,
    parameter int DELAY = 2,
    parameter int S_WIDTH = 12,
    parameter int A_WIDTH = 24,
    parameter int CLUSTER = 16
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    start,
    input  wire                    on_top,
    input  wire [ROWS*S_WIDTH-1:0] terms,
    input  wire [ROWS*A_WIDTH-1:0] base,
    output wire [ROWS*A_WIDTH-1:0] sums
);
    localparam int LOW = ITERATIONS * PLANES;
    localparam int CLUSTERS = (ROWS + CLUSTER - 1) / CLUSTER;

    initial begin
        if (DELAY < 1) $fatal(1, "da_accumulate: DELAY >= 1");
        if (A_WIDTH <= LOW) $fatal(1, "da_accumulate: A_WIDTH must exceed the bits of the values");
    end

    // ---- when terms arrive: any, the first, the first on top
    reg [7:0] left;
    always @(posedge clk)
        if (rst) left <= 0;
        else left <= start ? ITERATIONS - 1 : left != 0 ? left - 1'b1 : 0;
    wire [2:0] now = {(start || left != 0) && !rst, start, start && on_top};
    wire [2:0] nearly;
    generate
        if (DELAY > 1) begin : g_delay
            reg [3*(DELAY-1)-1:0] held;
            always @(posedge clk) held <= rst ? 0 : {held, now};
            assign nearly = held[3*(DELAY-1)-1-:3];
        end else begin : g_now
            assign nearly = now;
        end
    endgenerate
    wire [3*CLUSTERS-1:0] arrive;
    copies #(.WIDTH(3), .COPIES(CLUSTERS)) arrives (.clk(clk), .d(nearly), .q(arrive));

    // ---- rows: the part above the present bits is added to, the bits below are done
    genvar row;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : g_row
            wire [2:0] arrival = arrive[3*(row/CLUSTER)+:3];
            wire signed [S_WIDTH-1:0] term = terms[row*S_WIDTH+:S_WIDTH];
            reg signed [A_WIDTH-1:0] high;
            reg [LOW-1:0] low;
            wire signed [A_WIDTH-1:0] whole = {high[A_WIDTH-LOW-1:0], low};
            wire signed [A_WIDTH-1:0] given = base[row*A_WIDTH+:A_WIDTH];
            wire signed [A_WIDTH-1:0] wide_term = term;
            wire signed [A_WIDTH-1:0] sum;
            chosen_sum #(.WIDTH(A_WIDTH)) add (
                .choose(arrival[1]), .a(arrival[0] ? whole : given), .b(high), .c(wide_term), .sum(sum)
            );
            always @(posedge clk)
                if (arrival[2]) begin
                    high <= sum >>> PLANES;
                    low <= {sum[PLANES-1:0], low} >> PLANES;
                end
            assign sums[row*A_WIDTH+:A_WIDTH] = whole;
        end
    endgenerate
endmodule

`resetall
