// One LSTM layer by distributed arithmetic in LUT RAM: all rows at once, PLANES bits of h (X_PLANES of x) a cycle.
//
// x·W and R·h follow each other in either order, the second on top of the first; then all units' tails at once. The weights of
// both sets are in block RAM; after a reset or a swap the active set is copied into the LUT RAM, 16 cycles a group of four inputs.
//
// Ports: docs/rtl.md, "Ports of an LSTM block"; CHUNK = UNITS. Memories: MEMORY table entries (word 16 * group + entry, groups of x first),
// + 1 biases with the offsets of x and h. Activation tables are constants of the project.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module lstm_loadable #(
    parameter int INPUTS = 16,
    parameter int UNITS = 32,
    parameter int PLANES = 2,
    parameter int X_PLANES = 2,
    parameter int CUTS = 31,
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
    parameter BIAS_INIT = "",
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
    localparam int WORDS = 16 * (X_GROUPS + R_GROUPS);
    localparam int WORD_BITS = $clog2(WORDS);
    localparam int X_TERMS = X_GROUPS * X_PLANES;
    localparam int R_TERMS = R_GROUPS * PLANES;
    localparam int X_DEPTH = X_TERMS > 256 ? 5 : X_TERMS > 64 ? 4 : X_TERMS > 16 ? 3 : X_TERMS > 4 ? 2 : X_TERMS > 1 ? 1 : 0;
    localparam int R_DEPTH = R_TERMS > 256 ? 5 : R_TERMS > 64 ? 4 : R_TERMS > 16 ? 3 : R_TERMS > 4 ? 2 : R_TERMS > 1 ? 1 : 0;
    localparam int X_ITERATIONS = (X_WIDTH + X_PLANES - 1) / X_PLANES;
    localparam int R_ITERATIONS = (H_WIDTH + PLANES - 1) / PLANES;
    // so long until the other operation may begin and find its base in time
    localparam int X_BUSY = X_ITERATIONS + (X_DEPTH > R_DEPTH ? X_DEPTH - R_DEPTH : 0);
    localparam int R_BUSY = R_ITERATIONS + (R_DEPTH > X_DEPTH ? R_DEPTH - X_DEPTH : 0);

    wire copied, next_valid;
    wire [WORD_BITS:0] next_place;
    wire [ROWS*E_WIDTH-1:0] entry;
    wire [ROWS*A_WIDTH-1:0] bias;
    da_memory #(
        .ROWS(ROWS), .E_WIDTH(E_WIDTH), .A_WIDTH(A_WIDTH), .WORDS(WORDS), .MEMORY(MEMORY),
        .WEIGHT_INIT(WEIGHT_INIT), .BIAS_INIT(BIAS_INIT)
    ) memory (
        .clk(clk), .rst(rst), .swap(swap), .copied(copied), .next_valid(next_valid), .next_place(next_place),
        .entry(entry), .bias(bias), .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );

    // ---- what is held
    reg holds_x, holds_r, h_known;
    reg held_first, held_answer, step_first, step_answer;
    // The biases make up for the offset of h, so R·h is never left out: before a vector that starts from zero state one
    // cycle clears h and c (`wipe`), and R·h of that zero follows.
    reg wiped;
    reg completing, completes_x;  // the operation that completes the sums is under way
    reg [7:0] busy, remaining;  // cycles until another operation may begin, until the sums stand
    wire h_complete;
    wire refresh = clear || swap || state_write;
    wire can_begin = copied && busy == 0 && !completing && !refresh;
    wire wants_zero = x_valid && x_first && !wiped;
    wire wipe = can_begin && wants_zero && !holds_x && h_known;
    wire begin_x = can_begin && x_valid && !holds_x && (h_known || !holds_r) && !wants_zero;
    wire begin_r = can_begin && h_known && !holds_r && !begin_x && !wipe;
    wire begin_final = begin_x ? holds_r : begin_r && holds_x;
    assign x_ready = begin_x;
    wire go = completing && remaining == 0 && h_ready;

    always @(posedge clk) begin
        busy <= begin_x ? X_BUSY - 1 : begin_r ? R_BUSY - 1 : busy != 0 ? busy - 1'b1 : 0;
        if (remaining != 0) remaining <= remaining - 1'b1;
        if (begin_x) begin
            held_first <= x_first;
            held_answer <= x_answer;
            wiped <= 0;
            holds_x <= !begin_final;
        end
        if (begin_r) holds_r <= !begin_final;
        if (begin_final) begin
            holds_x <= 0;
            holds_r <= 0;
            h_known <= 0;
            completing <= 1;
            completes_x <= begin_x;
            remaining <= begin_x ? X_DEPTH + X_ITERATIONS : R_DEPTH + R_ITERATIONS;
            step_first <= begin_x ? x_first : held_first;
            step_answer <= begin_x ? x_answer : held_answer;
        end
        if (go) completing <= 0;
        if (h_complete) h_known <= 1;
        if (wipe) begin
            holds_r <= 0;
            wiped <= 1;
        end
        if (refresh) begin
            holds_r <= 0;
            busy <= 0;
            wiped <= 0;
        end
        if (rst) begin
            holds_x <= 0;
            holds_r <= 0;
            h_known <= 1;
            completing <= 0;
            wiped <= 0;
            busy <= 0;
            remaining <= 0;
        end
    end
    assign drained = h_known && !holds_x;
    assign idle = drained && holds_r && copied && busy == 0;

    // ---- sums
    wire [ROWS*A_WIDTH-1:0] x_sums, r_sums;
    reg x_on_top, r_on_top;  // the operation that began last goes on top of the other
    always @(posedge clk) begin
        if (begin_x) x_on_top <= holds_r;
        if (begin_r) r_on_top <= holds_x;
    end
    // what chooses among all sums has a copy for every 8 units
    localparam int CHOICES = (UNITS + 7) / 8;
    wire [3*CHOICES-1:0] choices;  // sums of x are the complete ones, x on top, h on top
    copies #(.WIDTH(3), .COPIES(CHOICES)) choose (
        .clk(clk),
        .d({begin_final ? begin_x : completes_x, begin_x ? holds_r : x_on_top, begin_r ? holds_x : r_on_top}),
        .q(choices)
    );
    wire [ROWS*A_WIDTH-1:0] x_base, r_base, sums;
    genvar unit;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_unit
            localparam int AT = 4 * unit * A_WIDTH;
            wire [2:0] choice = choices[3*(unit/8)+:3];
            assign x_base[AT+:4*A_WIDTH] = choice[1] ? r_sums[AT+:4*A_WIDTH] : bias[AT+:4*A_WIDTH];
            assign r_base[AT+:4*A_WIDTH] = choice[0] ? x_sums[AT+:4*A_WIDTH] : bias[AT+:4*A_WIDTH];
            assign sums[AT+:4*A_WIDTH] = choice[2] ? x_sums[AT+:4*A_WIDTH] : r_sums[AT+:4*A_WIDTH];
        end
    endgenerate
    da_product #(
        .ROWS(ROWS), .COUNT(INPUTS), .WIDTH(X_WIDTH), .PLANES(X_PLANES), .W_WIDTH(W_WIDTH), .SHIFT(X_SHIFT), .A_WIDTH(A_WIDTH)
    ) of_x (
        .clk(clk), .rst(rst), .start(begin_x), .values(x), .base(x_base), .sums(x_sums),
        .write(next_valid && next_place < 16 * X_GROUPS), .group(next_place >> 4), .entry(next_place[3:0]), .data(entry)
    );
    wire [UNITS*H_WIDTH-1:0] h_state;
    wire [WORD_BITS:0] r_place = next_place - 16 * X_GROUPS;
    da_product #(
        .ROWS(ROWS), .COUNT(UNITS), .WIDTH(H_WIDTH), .PLANES(PLANES), .W_WIDTH(W_WIDTH), .SHIFT(R_SHIFT), .A_WIDTH(A_WIDTH)
    ) of_h (
        .clk(clk), .rst(rst), .start(begin_r), .values(h_state), .base(r_base), .sums(r_sums),
        .write(next_valid && next_place >= 16 * X_GROUPS), .group(r_place >> 4), .entry(r_place[3:0]), .data(entry)
    );

    parallel_tail #(
        .UNITS(UNITS), .A_WIDTH(A_WIDTH), .A_FRACTION(A_FRACTION),
        .H_WIDTH(H_WIDTH), .H_FRACTION(H_FRACTION), .H_ROUND(H_ROUND), .H_SATURATE(H_SATURATE),
        .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .C_ROUND(C_ROUND), .C_SATURATE(C_SATURATE),
        .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION), .GATE_INDEX_BITS(GATE_INDEX_BITS), .CELL_INDEX_BITS(CELL_INDEX_BITS),
        .GATE_TOWARDS_ZERO(GATE_TOWARDS_ZERO), .CELL_TOWARDS_ZERO(CELL_TOWARDS_ZERO), .CUTS(CUTS),
        .GATE_INIT(GATE_INIT), .CELL_INIT(CELL_INIT)
    ) tail (
        .clk(clk), .rst(rst), .go(go), .sums(sums), .first(step_first), .answer(step_answer),
        .h_valid(h_valid), .h_first(h_first), .h_answer(h_answer), .h_state(h_state), .h_copies(), .complete(h_complete),
        .clear(clear || wipe), .state_write(state_write), .state_address(state_address), .state_write_data(state_write_data),
        .state_read_data(state_read_data)
    );
    assign h = h_state;
    assign h_last = 1'b1;
endmodule

`resetall
