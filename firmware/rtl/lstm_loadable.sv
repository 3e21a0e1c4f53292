// One LSTM layer by distributed arithmetic in LUT RAM: all rows at once, PLANES bits of x and h a cycle.
//
// x·W and R·h are added by the same adders, in one operation if x waits when h is known; otherwise R·h + b first, x·W on top as soon as x
// comes. Then all units' tails at once. The weights of both sets are in block RAM; after a reset or a swap the active set is copied
// into the LUT RAM, 16 cycles a group of four inputs, and the biases into registers.
//
// Ports: docs/rtl.md, "Ports of an LSTM block"; CHUNK = UNITS. Memory MEMORY: table entries (word 16 * group + entry, groups of x first), then
// biases with the offsets of x and h (`da_memory`). Activation tables are constants of the project.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module lstm_loadable #(
    parameter int INPUTS = 16,
    parameter int UNITS = 32,
    parameter int PLANES = 1,
    parameter int X_WIDTH = 8,
    parameter int H_WIDTH = 8,
    parameter int H_FRACTION = 7,
    parameter int H_ROUND = 1,
    parameter int H_SATURATE = 1,
    parameter int C_WIDTH = 16,
    parameter int C_FRACTION = 12,
    parameter int C_ROUND = 1,
    parameter int C_SATURATE = 1,
    parameter int W_WIDTH = 6,
    parameter int X_SHIFT = 0,
    parameter int R_SHIFT = 0,
    parameter int A_WIDTH = 24,  // holds sums of offset values
    parameter int A_FRACTION = 18,
    parameter int T_WIDTH = 8,
    parameter int T_FRACTION = 7,
    parameter int GATE_INDEX_BITS = 8,
    parameter int CELL_INDEX_BITS = 8,
    parameter int GATE_TOWARDS_ZERO = 0,
    parameter int CELL_TOWARDS_ZERO = 0,
    parameter logic [7:0] MEMORY = 0,
    parameter WEIGHT_INIT = "",
    parameter GATE_INIT = "",
    parameter CELL_INIT = ""
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      x_valid,
    output wire                      x_ready,
    input  wire [INPUTS*X_WIDTH-1:0] x,
    input  wire                      x_first,
    input  wire                      x_answer,
    output wire                      h_valid,
    output wire                      h_last,
    output wire [ UNITS*H_WIDTH-1:0] h,
    output wire                      h_first,
    output wire                      h_answer,
    input  wire                      h_ready,
    input  wire                      clear,
    input  wire                      swap,
    output wire                      drained,
    output wire                      idle,
    input  wire                      state_write,
    input  wire [              12:0] state_address,
    input  wire [              31:0] state_write_data,
    output wire [              31:0] state_read_data,
    input  wire                      load_write,
    input  wire [              31:0] load_address,
    input  wire [              31:0] load_data
);
    localparam int ROWS = 4 * UNITS;
    localparam int E_WIDTH = W_WIDTH + 2;  // of a table entry
    localparam int X_GROUPS = (INPUTS + 3) / 4;
    localparam int R_GROUPS = (UNITS + 3) / 4;
    localparam int ENTRIES = 16 * (X_GROUPS + R_GROUPS);
    localparam int WORD_BITS = $clog2(ENTRIES + (A_WIDTH + E_WIDTH - 1) / E_WIDTH);
    localparam int WIDEST = X_WIDTH > H_WIDTH ? X_WIDTH : H_WIDTH;
    localparam int ITERATIONS = (WIDEST + PLANES - 1) / PLANES;
    localparam int AT_BITS = ITERATIONS > 1 ? $clog2(ITERATIONS) : 1;
    // registers of the adders: so many that at most two sums of groups are left
    localparam int MOST = X_GROUPS > R_GROUPS ? X_GROUPS : R_GROUPS;
    localparam int LEVELS = MOST > 128 ? 4 : MOST > 32 ? 3 : MOST > 8 ? 2 : 1;
    localparam int XS_WIDTH = E_WIDTH + $clog2(X_GROUPS) + PLANES;
    localparam int RS_WIDTH = E_WIDTH + $clog2(R_GROUPS) + PLANES;
    localparam int S_WIDTH = (XS_WIDTH + X_SHIFT > RS_WIDTH + R_SHIFT ? XS_WIDTH + X_SHIFT : RS_WIDTH + R_SHIFT) + 1;

    initial if (MOST > 512) $fatal(1, "lstm_loadable: at most 2048 inputs or units");

    wire copied, next_valid;
    wire [WORD_BITS:0] next_place;
    wire [ROWS*E_WIDTH-1:0] entry;
    wire [ROWS*A_WIDTH-1:0] bias;
    da_memory #(.ROWS(ROWS), .E_WIDTH(E_WIDTH), .A_WIDTH(A_WIDTH), .ENTRIES(ENTRIES), .MEMORY(MEMORY), .INIT(WEIGHT_INIT)) memory (
        .clk(clk), .rst(rst), .swap(swap), .copied(copied), .next_valid(next_valid), .next_place(next_place),
        .entry(entry), .bias(bias), .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );

    // ---- what is held: R·h + b of the coming step, or on its way there; h is that of the last step begun
    reg holds_r, h_known;
    reg completing;  // the sums of a step are on their way to the tail
    reg step_first, step_answer;
    reg [7:0] remaining;  // cycles until the sums stand
    reg [AT_BITS-1:0] at;  // which bits come; not 0: an operation is under way
    reg rests;  // at is 0
    wire h_complete;
    wire refresh = clear || swap || state_write;
    // x_ready waits for nothing that comes with the vector
    assign x_ready = copied && rests && !completing && h_known;
    wire begin_x = x_ready && x_valid;
    wire begins = x_ready && (x_valid || (!holds_r && !refresh));
    wire [AT_BITS-1:0] next_at =
        rst || refresh ? 0 : begins ? (ITERATIONS > 1 ? 1 : 0) : rests || at == ITERATIONS - 1 ? 0 : at + 1'b1;
    wire go = completing && remaining == 0 && h_ready;

    always @(posedge clk) begin
        at <= next_at;
        rests <= next_at == 0;
        if (remaining != 0) remaining <= remaining - 1'b1;
        if (begins) holds_r <= !x_valid;
        if (begin_x) begin
            h_known <= 0;
            completing <= 1;
            remaining <= LEVELS + ITERATIONS;
            step_first <= x_first;
            step_answer <= x_answer;
        end
        if (go) completing <= 0;
        if (h_complete) h_known <= 1;
        if (refresh) holds_r <= 0;
        if (rst) begin
            holds_r <= 0;
            h_known <= 1;
            completing <= 0;
            remaining <= 0;
        end
    end
    assign drained = h_known;
    assign idle = drained && holds_r && copied && rests;

    // ---- bits of x and h, as offset binary: the top bit turned over. What an operation does not take is 0 everywhere; h of zero state
    // is its offset alone.
    reg [INPUTS*X_WIDTH-1:0] x_held;
    reg takes_x, takes_h, from_zero;  // the operation under way
    wire x_on = rests ? x_valid : takes_x;
    wire h_on = rests ? !holds_r || (x_valid && x_first) : takes_h;
    wire zero = rests ? x_valid && x_first : from_zero;
    wire [UNITS*H_WIDTH-1:0] h_state;
    always @(posedge clk)
        if (rests) begin
            x_held <= x;
            takes_x <= x_on;
            takes_h <= h_on;
            from_zero <= zero;
        end
    wire [INPUTS*PLANES-1:0] x_bits;
    wire [UNITS*PLANES-1:0] h_bits;
    wire [PLANES-1:0] x_top, h_top;  // the top bit is among the present ones
    // what chooses bits has a copy for every four values
    wire [(X_GROUPS+R_GROUPS)*(1+AT_BITS)-1:0] choices;
    copies #(.WIDTH(1 + AT_BITS), .COPIES(X_GROUPS + R_GROUPS)) choose (.clk(clk), .d({next_at == 0, next_at}), .q(choices));
    genvar k, p;
    generate
        for (p = 0; p < PLANES; p = p + 1) begin : g_plane
            assign x_top[p] = x_on && at * PLANES + p == X_WIDTH - 1;
            assign h_top[p] = h_on && at * PLANES + p == H_WIDTH - 1;
            for (k = 0; k < INPUTS; k = k + 1) begin : g_x
                wire [AT_BITS:0] choice = choices[k/4*(1+AT_BITS)+:1+AT_BITS];
                wire [ITERATIONS*PLANES-1:0] value = choice[AT_BITS] ? x[k*X_WIDTH+:X_WIDTH] : x_held[k*X_WIDTH+:X_WIDTH];
                assign x_bits[k*PLANES+p] = (value[choice[AT_BITS-1:0]*PLANES+p] && x_on) ^ x_top[p];
            end
            for (k = 0; k < UNITS; k = k + 1) begin : g_h
                wire [ITERATIONS*PLANES-1:0] value = h_state[k*H_WIDTH+:H_WIDTH];
                wire [AT_BITS:0] choice = choices[(X_GROUPS+k/4)*(1+AT_BITS)+:1+AT_BITS];
                assign h_bits[k*PLANES+p] = (value[choice[AT_BITS-1:0]*PLANES+p] && h_on && !zero) ^ h_top[p];
            end
        end
    endgenerate

    // ---- sums
    wire [ROWS*XS_WIDTH-1:0] of_x;
    wire [ROWS*RS_WIDTH-1:0] of_h;
    wire [ROWS*S_WIDTH-1:0] terms;
    wire [ROWS*A_WIDTH-1:0] sums;
    da_terms #(.ROWS(ROWS), .COUNT(INPUTS), .PLANES(PLANES), .W_WIDTH(W_WIDTH), .LEVELS(LEVELS)) x_terms (
        .clk(clk), .bits(x_bits), .sums(of_x),
        .write(next_valid && next_place < 16 * X_GROUPS), .group(next_place >> 4), .entry(next_place[3:0]), .data(entry)
    );
    wire [WORD_BITS:0] r_place = next_place - 16 * X_GROUPS;
    da_terms #(.ROWS(ROWS), .COUNT(UNITS), .PLANES(PLANES), .W_WIDTH(W_WIDTH), .LEVELS(LEVELS)) h_terms (
        .clk(clk), .bits(h_bits), .sums(of_h),
        .write(next_valid && next_place >= 16 * X_GROUPS), .group(r_place >> 4), .entry(r_place[3:0]), .data(entry)
    );
    genvar row;
    generate
        for (row = 0; row < ROWS; row = row + 1) begin : g_row
            wire signed [S_WIDTH-1:0] wide_x = $signed(of_x[row*XS_WIDTH+:XS_WIDTH]);
            wire signed [S_WIDTH-1:0] wide_h = $signed(of_h[row*RS_WIDTH+:RS_WIDTH]);
            assign terms[row*S_WIDTH+:S_WIDTH] = (wide_x <<< X_SHIFT) + (wide_h <<< R_SHIFT);
        end
    endgenerate
    da_accumulate #(
        .ROWS(ROWS), .PLANES(PLANES), .ITERATIONS(ITERATIONS), .DELAY(1 + LEVELS), .S_WIDTH(S_WIDTH), .A_WIDTH(A_WIDTH)
    ) accumulate (
        .clk(clk), .rst(rst), .start(begins), .on_top(holds_r && !x_first), .terms(terms), .base(bias), .sums(sums)
    );

    loadable_tail #(
        .UNITS(UNITS), .A_WIDTH(A_WIDTH), .A_FRACTION(A_FRACTION),
        .H_WIDTH(H_WIDTH), .H_FRACTION(H_FRACTION), .H_ROUND(H_ROUND), .H_SATURATE(H_SATURATE),
        .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .C_ROUND(C_ROUND), .C_SATURATE(C_SATURATE),
        .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION), .GATE_INDEX_BITS(GATE_INDEX_BITS), .CELL_INDEX_BITS(CELL_INDEX_BITS),
        .GATE_TOWARDS_ZERO(GATE_TOWARDS_ZERO), .CELL_TOWARDS_ZERO(CELL_TOWARDS_ZERO),
        .GATE_INIT(GATE_INIT), .CELL_INIT(CELL_INIT)
    ) tail (
        .clk(clk), .rst(rst), .go(go), .sums(sums), .first(step_first), .answer(step_answer),
        .h_valid(h_valid), .h_first(h_first), .h_answer(h_answer), .h_state(h_state), .complete(h_complete),
        .clear(clear), .state_write(state_write), .state_address(state_address), .state_write_data(state_write_data),
        .state_read_data(state_read_data)
    );
    assign h = h_state;
    assign h_last = 1'b1;
endmodule

`resetall
