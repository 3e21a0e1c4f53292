// A dense layer by distributed arithmetic: all of h at once, PLANES bits a cycle, weights in LUT RAM.
//
// y stands LEVELS + ITERATIONS + 2 cycles after h_valid. Vectors whose answer is not wanted are swallowed.
// Ports: docs/rtl.md, "Ports of a dense block"; CHUNK = INPUTS. Memory MEMORY: table entries (word 16 * group + entry), then biases with the
// offsets of h (`da_memory`); both sets in block RAM, the active one copied after a reset or a swap.
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
    parameter WEIGHT_INIT = ""
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
    localparam int ENTRIES = 16 * GROUPS;
    localparam int WORD_BITS = $clog2(ENTRIES + (A_WIDTH + E_WIDTH - 1) / E_WIDTH);
    localparam int ITERATIONS = (H_WIDTH + PLANES - 1) / PLANES;
    localparam int AT_BITS = ITERATIONS > 1 ? $clog2(ITERATIONS) : 1;
    localparam int LEVELS = GROUPS > 128 ? 4 : GROUPS > 32 ? 3 : GROUPS > 8 ? 2 : 1;
    localparam int S_WIDTH = E_WIDTH + $clog2(GROUPS) + PLANES;

    initial if (GROUPS > 512) $fatal(1, "dense_loadable: at most 2048 inputs");

    wire copied, next_valid;
    wire [WORD_BITS:0] next_place;
    wire [UNITS*E_WIDTH-1:0] entry;
    wire [UNITS*A_WIDTH-1:0] bias;
    da_memory #(.ROWS(UNITS), .E_WIDTH(E_WIDTH), .A_WIDTH(A_WIDTH), .ENTRIES(ENTRIES), .MEMORY(MEMORY), .INIT(WEIGHT_INIT)) memory (
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
            remaining <= LEVELS + ITERATIONS;
        end
        if (rst) begin
            busy <= 0;
            y_valid <= 0;
            remaining <= 0;
        end
    end

    // ---- bits of h as offset binary, from a copy: h may change under way
    reg [AT_BITS-1:0] at;
    reg [INPUTS*H_WIDTH-1:0] held;
    wire [INPUTS*H_WIDTH-1:0] present = at == 0 ? h : held;
    wire [INPUTS*PLANES-1:0] bits;
    always @(posedge clk) begin
        if (at == 0) held <= h;
        if (start && ITERATIONS > 1) at <= 1;
        else if (at != 0) at <= at == ITERATIONS - 1 ? 0 : at + 1'b1;
        if (rst) at <= 0;
    end
    genvar k, p;
    generate
        for (p = 0; p < PLANES; p = p + 1) begin : g_plane
            wire top = at * PLANES + p == H_WIDTH - 1;
            for (k = 0; k < INPUTS; k = k + 1) begin : g_h
                wire [ITERATIONS*PLANES-1:0] value = present[k*H_WIDTH+:H_WIDTH];
                assign bits[k*PLANES+p] = value[at*PLANES+p] ^ top;
            end
        end
    endgenerate
    wire [UNITS*S_WIDTH-1:0] of_h;
    wire [UNITS*(S_WIDTH+P_SHIFT)-1:0] terms;
    wire [UNITS*A_WIDTH-1:0] sums;
    da_terms #(.ROWS(UNITS), .COUNT(INPUTS), .PLANES(PLANES), .W_WIDTH(W_WIDTH), .LEVELS(LEVELS)) h_terms (
        .clk(clk), .bits(bits), .sums(of_h),
        .write(next_valid), .group(next_place >> 4), .entry(next_place[3:0]), .data(entry)
    );
    da_accumulate #(
        .ROWS(UNITS), .PLANES(PLANES), .ITERATIONS(ITERATIONS), .DELAY(1 + LEVELS), .S_WIDTH(S_WIDTH + P_SHIFT), .A_WIDTH(A_WIDTH)
    ) accumulate (.clk(clk), .rst(rst), .start(start), .on_top(1'b0), .terms(terms), .base(bias), .sums(sums));
    genvar unit;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_unit
            wire signed [S_WIDTH+P_SHIFT-1:0] wide_h = $signed(of_h[unit*S_WIDTH+:S_WIDTH]);
            assign terms[unit*(S_WIDTH+P_SHIFT)+:S_WIDTH+P_SHIFT] = wide_h <<< P_SHIFT;
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
