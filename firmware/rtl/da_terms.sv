// Sums of weights that bits choose: ROWS rows, COUNT values, PLANES bits of each in a cycle.
//
// Four values share a table of the 16 sums of their weights, in LUT RAM. `bits` has bit PLANES * value + plane; 1 + LEVELS cycles later
// `sums` is, row by row, the sum over planes of the chosen weights << plane.
// Tables: a cycle after `write` they take `data`, an entry of every row, at `entry` of group `group`.
// Rows come in clusters of CLUSTER, each with its own copy of what goes to all.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module da_terms #(
    parameter int ROWS = 16,
    parameter int COUNT = 8,
    parameter int PLANES = 1,
    parameter int W_WIDTH = 6,
    parameter int LEVELS = 1,
    parameter int GROUPS = (COUNT + 3) / 4,
    parameter int GROUP_BITS = GROUPS > 1 ? $clog2(GROUPS) : 1,
    parameter int T_WIDTH = W_WIDTH + 2,
    parameter int P_WIDTH = T_WIDTH + $clog2(GROUPS),
    parameter int S_WIDTH = P_WIDTH + PLANES,
    parameter int CLUSTER = 16
) (
    input  wire                    clk,
    input  wire [COUNT*PLANES-1:0] bits,
    output wire [ROWS*S_WIDTH-1:0] sums,
    input  wire                    write,
    input  wire [  GROUP_BITS-1:0] group,
    input  wire [             3:0] entry,
    input  wire [ROWS*T_WIDTH-1:0] data
);
    localparam int CLUSTERS = (ROWS + CLUSTER - 1) / CLUSTER;

    wire [PLANES*ROWS*GROUPS*T_WIDTH-1:0] entries;  // by plane, row, group
    genvar k, p, q, row, cluster;
    generate
        for (q = 0; q < GROUPS; q = q + 1) begin : g_group
            for (p = 0; p < PLANES; p = p + 1) begin : g_plane
                wire [3:0] address;
                for (k = 0; k < 4; k = k + 1) begin : g_bit
                    if (4 * q + k < COUNT) assign address[k] = bits[(4*q+k)*PLANES+p];
                    else assign address[k] = 1'b0;
                end
                wire [9*CLUSTERS-1:0] held;
                copies #(.WIDTH(9), .COPIES(CLUSTERS)) everywhere (
                    .clk(clk), .d({write && group == q, entry, address}), .q(held)
                );
                for (cluster = 0; cluster < CLUSTERS; cluster = cluster + 1) begin : g_cluster
                    localparam int FROM = cluster * CLUSTER;
                    localparam int COUNTED = ROWS - FROM < CLUSTER ? ROWS - FROM : CLUSTER;
                    wire [COUNTED*T_WIDTH-1:0] looked_up;
                    lut_ram #(.WIDTH(COUNTED * T_WIDTH)) table_of_rows (
                        .clk(clk), .write(held[9*cluster+8]), .write_address(held[9*cluster+4+:4]),
                        .data(data[FROM*T_WIDTH+:COUNTED*T_WIDTH]), .address(held[9*cluster+:4]), .word(looked_up)
                    );
                    for (row = 0; row < COUNTED; row = row + 1) begin : g_row
                        assign entries[((p*ROWS+FROM+row)*GROUPS+q)*T_WIDTH+:T_WIDTH] = looked_up[row*T_WIDTH+:T_WIDTH];
                    end
                end
            end
        end
        for (row = 0; row < ROWS; row = row + 1) begin : g_sum
            wire [PLANES*S_WIDTH-1:0] planes;
            for (p = 0; p < PLANES; p = p + 1) begin : g_plane_sum
                wire signed [P_WIDTH-1:0] chosen;
                sum_grown #(.TERMS(GROUPS), .WIDTH(T_WIDTH), .LEVELS(LEVELS)) tree (
                    .clk(clk), .terms(entries[(p*ROWS+row)*GROUPS*T_WIDTH+:GROUPS*T_WIDTH]), .sum(chosen)
                );
                wire signed [S_WIDTH-1:0] wide = chosen;
                assign planes[p*S_WIDTH+:S_WIDTH] = wide <<< p;
            end
            sum_now #(.TERMS(PLANES), .WIDTH(S_WIDTH)) all_planes (.terms(planes), .sum(sums[row*S_WIDTH+:S_WIDTH]));
        end
    endgenerate
endmodule

`resetall
