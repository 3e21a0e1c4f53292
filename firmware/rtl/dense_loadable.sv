// A dense layer by distributed arithmetic: all of h at once, PLANES bits a cycle, weights in LUT RAM.
//
// y stands DEPTH + ITERATIONS + 2 cycles after h_valid (`da_product`). Vectors whose answer is not wanted are swallowed.
// Ports: docs/rtl.md, "Ports of a dense block"; CHUNK = INPUTS. Memories: MEMORY table entries (word 16 * group + entry), + 1 biases with
// the offsets of h; both sets in block RAM, the active one copied after a reset or a swap.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module dense_loadable #(
    parameter int INPUTS = 32,
    parameter int UNITS = 11,
    parameter int PLANES = 2,
    parameter int H_WIDTH = 8,
    parameter int W_WIDTH = 6,
    parameter int P_SHIFT = 0,
    parameter int A_WIDTH = 24,  // holds sums of offset values
    parameter int A_FRACTION = 18,
    parameter int Y_WIDTH = 16,
    parameter int Y_FRACTION = 10,
    parameter int Y_ROUND = 1,
    parameter int Y_SATURATE = 1,
    parameter int RELU = 0,
    parameter logic [7:0] MEMORY = 0,
    parameter WEIGHT_INIT = "",
    parameter BIAS_INIT = ""
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      h_valid,
    input  wire                      h_last,
    input  wire [INPUTS*H_WIDTH-1:0] h,
    input  wire                      h_first,
    input  wire                      h_answer,
    output wire                      h_ready,
    output reg                       y_valid,
    input  wire                      y_ready,
    output reg  [ UNITS*Y_WIDTH-1:0] y,
    output reg                       y_first,
    output wire                      y_answer,
    input  wire                      swap,
    output wire                      drained,
    output wire                      idle,
    input  wire                      load_write,
    input  wire [              31:0] load_address,
    input  wire [              31:0] load_data
);
    localparam int E_WIDTH = W_WIDTH + 2;
    localparam int GROUPS = (INPUTS + 3) / 4;
    localparam int WORDS = 16 * GROUPS;
    localparam int WORD_BITS = $clog2(WORDS);
    localparam int TERMS = GROUPS * PLANES;
    localparam int DEPTH = TERMS > 256 ? 5 : TERMS > 64 ? 4 : TERMS > 16 ? 3 : TERMS > 4 ? 2 : TERMS > 1 ? 1 : 0;
    localparam int ITERATIONS = (H_WIDTH + PLANES - 1) / PLANES;

    wire copied, next_valid;
    wire [WORD_BITS:0] next_place;
    wire [UNITS*E_WIDTH-1:0] entry;
    wire [UNITS*A_WIDTH-1:0] bias;
    da_memory #(
        .ROWS(UNITS), .E_WIDTH(E_WIDTH), .A_WIDTH(A_WIDTH), .WORDS(WORDS), .MEMORY(MEMORY),
        .WEIGHT_INIT(WEIGHT_INIT), .BIAS_INIT(BIAS_INIT)
    ) memory (
        .clk(clk), .rst(rst), .swap(swap), .copied(copied), .next_valid(next_valid), .next_place(next_place),
        .entry(entry), .bias(bias), .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );

    reg busy, first;
    reg [7:0] remaining;
    wire start = h_valid && h_answer && h_ready;  // a dense layer before this one holds its y until h_ready
    wire finish = busy && remaining == 0 && (!y_valid || y_ready);
    assign h_ready = copied && !busy;
    assign drained = !h_valid && !busy && !y_valid;
    assign idle = drained && copied;
    assign y_answer = 1'b1;
    always @(posedge clk) begin
        if (y_ready) y_valid <= 0;
        if (remaining != 0) remaining <= remaining - 1'b1;
        if (finish) begin
            busy <= 0;
            y_valid <= 1;
            y_first <= first;
        end
        if (start) begin
            busy <= 1;
            first <= h_first;
            remaining <= DEPTH + ITERATIONS;
        end
        if (rst) begin
            busy <= 0;
            y_valid <= 0;
            remaining <= 0;
        end
    end

    wire [UNITS*A_WIDTH-1:0] sums;
    da_product #(
        .ROWS(UNITS), .COUNT(INPUTS), .WIDTH(H_WIDTH), .PLANES(PLANES), .W_WIDTH(W_WIDTH), .SHIFT(P_SHIFT), .A_WIDTH(A_WIDTH)
    ) product (
        .clk(clk), .rst(rst), .start(start), .values(h), .base(bias), .sums(sums),
        .write(next_valid), .group(next_place >> 4), .entry(next_place[3:0]), .data(entry)
    );
    genvar unit;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_unit
            wire signed [A_WIDTH-1:0] sum = sums[unit*A_WIDTH+:A_WIDTH];
            wire signed [A_WIDTH-1:0] active = (RELU != 0 && sum < 0) ? 0 : sum;
            wire [Y_WIDTH-1:0] converted;
            convert #(
                .FROM_WIDTH(A_WIDTH), .FROM_FRACTION(A_FRACTION), .TO_WIDTH(Y_WIDTH), .TO_FRACTION(Y_FRACTION),
                .ROUND(Y_ROUND), .SATURATE(Y_SATURATE)
            ) to_output (.value(active), .converted(converted));
            always @(posedge clk) if (finish) y[unit*Y_WIDTH+:Y_WIDTH] <= converted;
        end
    endgenerate
endmodule

`resetall
