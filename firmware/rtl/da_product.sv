// ROWS sums of COUNT products by distributed arithmetic, with weights that can be rewritten.
//
// Four values share a table of the 16 sums of their weights; a cycle looks up PLANES bits of every value and adds what all tables say, the
// lowest bits first. Values are taken as offset binary (top bit turned over); the image's bias makes up for the offset.
// `start` with `values` begins; `base` is taken LATENCY = 1 + ceil(log4(GROUPS * PLANES)) cycles later, so an operation that ends then may
// give it; `sums` = base + (products << SHIFT) stands LATENCY + ITERATIONS cycles after `start` and stays until the next operation.
// Tables: a cycle after `write` they take `data`, an entry of every row, at `entry` of group `group`.
// Rows come in clusters of CLUSTER, each with its own copy of what goes to all.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module da_product #(
    parameter int ROWS = 16,
    parameter int COUNT = 8,
    parameter int WIDTH = 8,
    parameter int PLANES = 2,
    parameter int W_WIDTH = 6,
    parameter int SHIFT = 0,
    parameter int A_WIDTH = 24,
    parameter int GROUPS = (COUNT + 3) / 4,
    parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
    parameter int T_WIDTH = W_WIDTH + 2,
    parameter int CLUSTER = 32
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    start,
    input  wire [ COUNT*WIDTH-1:0] values,
    input  wire [ROWS*A_WIDTH-1:0] base,
    output wire [ROWS*A_WIDTH-1:0] sums,
    input  wire                    write,
    input  wire [  GROUP_BITS-1:0] group,
    input  wire [             3:0] entry,
    input  wire [ROWS*T_WIDTH-1:0] data
);
    localparam int ITERATIONS = (WIDTH + PLANES - 1) / PLANES;
    localparam int TERMS = GROUPS * PLANES;
    localparam int DEPTH = TERMS > 256 ? 5 : TERMS > 64 ? 4 : TERMS > 16 ? 3 : TERMS > 4 ? 2 : TERMS > 1 ? 1 : 0;
    localparam int S_WIDTH = T_WIDTH + PLANES + (GROUPS > 1 ? $clog2(GROUPS) : 0) + 1;
    localparam int LOW = ITERATIONS * PLANES;
    localparam int CLUSTERS = (ROWS + CLUSTER - 1) / CLUSTER;

    initial begin
        if (TERMS > 1024) $fatal(1, "da_product: at most 1024 tables a row");
        if (A_WIDTH <= LOW + SHIFT) $fatal(1, "da_product: A_WIDTH must exceed the bits of the values and SHIFT");
    end

    // ---- bits of the values: at once from `values`, then from a copy that moves down
    reg [COUNT*WIDTH-1:0] moving;
    wire [COUNT*WIDTH-1:0] offset;
    wire [COUNT*WIDTH-1:0] present = start ? offset : moving;
    genvar k, p, q, row, cluster;
    generate
        for (k = 0; k < COUNT; k = k + 1) begin : g_value
            assign offset[k*WIDTH+:WIDTH] = values[k*WIDTH+:WIDTH] ^ {1'b1, {(WIDTH - 1) {1'b0}}};
            wire [WIDTH-1:0] now = present[k*WIDTH+:WIDTH];
            always @(posedge clk) moving[k*WIDTH+:WIDTH] <= now >> PLANES;
        end
    endgenerate

    // ---- tables
    wire [TERMS*ROWS*T_WIDTH-1:0] entries;
    generate
        for (q = 0; q < GROUPS; q = q + 1) begin : g_group
            for (p = 0; p < PLANES; p = p + 1) begin : g_plane
                wire [3:0] bits;
                for (k = 0; k < 4; k = k + 1) begin : g_bit
                    if (4 * q + k < COUNT && p < WIDTH) assign bits[k] = present[(4*q+k)*WIDTH+p];
                    else assign bits[k] = 1'b0;
                end
                wire [9*CLUSTERS-1:0] held;
                copies #(.WIDTH(9), .COPIES(CLUSTERS)) everywhere (.clk(clk), .d({write && group == q, entry, bits}), .q(held));
                for (cluster = 0; cluster < CLUSTERS; cluster = cluster + 1) begin : g_cluster
                    localparam int FROM = cluster * CLUSTER;
                    localparam int COUNTED = ROWS - FROM < CLUSTER ? ROWS - FROM : CLUSTER;
                    lut_ram #(.WIDTH(COUNTED * T_WIDTH)) table_of_rows (
                        .clk(clk), .write(held[9*cluster+8]), .write_address(held[9*cluster+4+:4]),
                        .data(data[FROM*T_WIDTH+:COUNTED*T_WIDTH]), .address(held[9*cluster+:4]),
                        .word(entries[((q*PLANES+p)*ROWS+FROM)*T_WIDTH+:COUNTED*T_WIDTH])
                    );
                end
            end
        end
    endgenerate

    // ---- when the first and the last sum of an operation arrive
    reg [7:0] left;
    always @(posedge clk)
        if (rst) left <= 0;
        else left <= start ? ITERATIONS - 1 : left != 0 ? left - 1'b1 : 0;
    wire [DEPTH:0] firsts, goes;
    assign firsts[0] = start && !rst;
    assign goes[0] = (start || left != 0) && !rst;
    generate
        if (DEPTH > 0) begin : g_delay
            reg [DEPTH:1] first_held, go_held;
            always @(posedge clk)
                if (rst) begin
                    first_held <= 0;
                    go_held <= 0;
                end else begin
                    first_held <= firsts[DEPTH-1:0];
                    go_held <= goes[DEPTH-1:0];
                end
            assign firsts[DEPTH:1] = first_held;
            assign goes[DEPTH:1] = go_held;
        end
    endgenerate
    wire [2*CLUSTERS-1:0] arrive;  // of each cluster: first, any
    copies #(.WIDTH(2), .COPIES(CLUSTERS)) arrives (
        .clk(clk), .d({firsts[DEPTH] && !rst, goes[DEPTH] && !rst}), .q(arrive)
    );

    // ---- rows: the part above the present bits is added to, the bits below are done
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : g_row
            wire first = arrive[2*(row/CLUSTER)+1];
            wire go = arrive[2*(row/CLUSTER)];
            wire [TERMS*S_WIDTH-1:0] terms;
            for (q = 0; q < TERMS; q = q + 1) begin : g_term
                wire signed [T_WIDTH-1:0] entry_of_row = entries[(q*ROWS+row)*T_WIDTH+:T_WIDTH];
                wire signed [S_WIDTH-1:0] wide = entry_of_row;
                assign terms[q*S_WIDTH+:S_WIDTH] = wide <<< (q % PLANES);
            end
            wire signed [S_WIDTH-1:0] all;
            sum_tree #(.TERMS(TERMS), .WIDTH(S_WIDTH)) tree (.clk(clk), .terms(terms), .sum(all));
            wire signed [A_WIDTH-1:0] given = base[row*A_WIDTH+:A_WIDTH];
            reg signed [A_WIDTH-SHIFT-1:0] high;
            reg [LOW-1:0] low;
            wire signed [A_WIDTH-SHIFT-1:0] from = first ? given[A_WIDTH-1:SHIFT] : high;
            wire signed [A_WIDTH-SHIFT-1:0] sum = from + all;
            always @(posedge clk)
                if (go) begin
                    high <= sum >>> PLANES;
                    low <= {sum[PLANES-1:0], low[LOW-1:PLANES]};
                end
            wire [A_WIDTH-SHIFT-1:0] whole = {high[A_WIDTH-SHIFT-LOW-1:0], low};
            if (SHIFT > 0) begin : g_below
                reg [SHIFT-1:0] below;
                always @(posedge clk) if (go && first) below <= given[SHIFT-1:0];
                assign sums[row*A_WIDTH+:A_WIDTH] = {whole, below};
            end else begin : g_even
                assign sums[row*A_WIDTH+:A_WIDTH] = whole;
            end
        end
    endgenerate
endmodule

`resetall
