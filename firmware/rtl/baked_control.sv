// Control and tail of an LSTM layer whose weights are constants; the generated layer wires it to its adder trees.
//
// x feeds the trees of W·x, X_CYCLES registers deep (enabled by `move`), whose result is the base of `sums` = base + R·h; R·h follows
// h by R_CYCLES registers, so that it is ready before the next vector is. One step takes 1 + (cuts of the tail) + R_CYCLES cycles. Before
// a vector that starts from zero state, while it is on its way through W·x if nothing is ahead of it, one cycle clears h and c, so that
// the recurrent loop needs no gate for it.
// PIPELINED 1: the consumer counts what is on its way to it and can take a vector every cycle.
// Ports: docs/rtl.md, "Ports of an LSTM block"; CHUNK = UNITS; nothing to load, nothing to prepare.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module baked_control #(
    parameter int INPUTS = 6,
    parameter int UNITS = 20,
    parameter int X_CYCLES = 2,
    parameter int CUTS = 0,
    parameter int R_CYCLES = 0,
    parameter int COPIES = 1,
    parameter int IN_LOGIC = 0,
    parameter int PIPELINED = 1,
    parameter int X_WIDTH = 8,
    parameter int H_WIDTH = 8,
    parameter int H_FRACTION = 7,
    parameter int H_ROUND = 1,
    parameter int H_SATURATE = 1,
    parameter int C_WIDTH = 16,
    parameter int C_FRACTION = 12,
    parameter int C_ROUND = 1,
    parameter int C_SATURATE = 1,
    parameter int A_WIDTH = 24,
    parameter int A_FRACTION = 18,
    parameter int T_WIDTH = 8,
    parameter int T_FRACTION = 7,
    parameter int GATE_INDEX_BITS = 8,
    parameter int CELL_INDEX_BITS = 8,
    parameter int GATE_TOWARDS_ZERO = 0,
    parameter int CELL_TOWARDS_ZERO = 0,
    parameter [UNITS-1:0] C_CLAMPED = {UNITS{1'b1}},
    parameter GATE_INIT = "",
    parameter CELL_INIT = ""
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       x_valid,
    output wire                       x_ready,
    input  wire                       x_first,
    input  wire                       x_answer,
    output wire                       move,
    output wire [COPIES*UNITS*H_WIDTH-1:0] h_copies,
    input  wire [4*UNITS*A_WIDTH-1:0] sums,
    output wire                       h_valid,
    output wire                       h_last,
    output wire [  UNITS*H_WIDTH-1:0] h,
    output wire                       h_first,
    output wire                       h_answer,
    input  wire                       h_ready,
    input  wire                       clear,
    output wire                       drained,
    output wire                       idle,
    input  wire                       state_write,
    input  wire [               12:0] state_address,
    input  wire [               31:0] state_write_data,
    output wire [               31:0] state_read_data
);
    localparam int TAIL_CYCLES =
        1 + (CUTS & 1) + ((CUTS >> 1) & 1) + ((CUTS >> 2) & 1) + ((CUTS >> 3) & 1) + ((CUTS >> 4) & 1);

    reg [X_CYCLES:1] valid, firsts, answers;
    reg [3:0] left;  // cycles until h of the step under way stands
    reg [1:0] stale;  // cycles until R·h of the present h stands
    wire [UNITS*H_WIDTH-1:0] h_state;
    reg cleared;
    reg step_first;  // of the step under way, for the next layer
    wire complete;
    wire at_base = valid[X_CYCLES];
    wire room = h_ready && (PIPELINED != 0 || (left == 0 && !h_valid));
    wire turn = left == 0 && room;
    wire go = turn && at_base && stale == 0 && !(firsts[X_CYCLES] && !cleared);
    integer n;
    reg oldest_first;  // the next vector to take its turn starts from zero state
    wire wipe = turn && oldest_first && !cleared;
    always @* begin
        oldest_first = x_valid && x_first;
        for (n = 1; n <= X_CYCLES; n = n + 1) if (valid[n]) oldest_first = firsts[n];
    end
    assign move = !at_base || go;
    assign x_ready = x_valid && move;
    integer k;
    always @(posedge clk) begin
        if (move) begin
            valid[1] <= x_valid;
            firsts[1] <= x_first;
            answers[1] <= x_answer;
            for (k = 2; k <= X_CYCLES; k = k + 1) begin
                valid[k] <= valid[k-1];
                firsts[k] <= firsts[k-1];
                answers[k] <= answers[k-1];
            end
        end
        if (left != 0) left <= left - 1'b1;
        if (go) left <= TAIL_CYCLES - 1;
        if (stale != 0) stale <= stale - 1'b1;
        if (complete || wipe || clear || state_write) stale <= R_CYCLES;
        if (go) step_first <= firsts[X_CYCLES];
        cleared <= wipe || (cleared && !go);
        if (rst) begin
            valid <= 0;
            left <= 0;
            stale <= R_CYCLES;
            cleared <= 0;
        end
    end
    assign drained = valid == 0 && left == 0 && !h_valid;
    assign idle = drained && stale == 0;
    assign h = h_state;
    assign h_last = 1'b1;

    parallel_tail #(
        .UNITS(UNITS), .A_WIDTH(A_WIDTH), .A_FRACTION(A_FRACTION),
        .H_WIDTH(H_WIDTH), .H_FRACTION(H_FRACTION), .H_ROUND(H_ROUND), .H_SATURATE(H_SATURATE),
        .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .C_ROUND(C_ROUND), .C_SATURATE(C_SATURATE),
        .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION), .GATE_INDEX_BITS(GATE_INDEX_BITS), .CELL_INDEX_BITS(CELL_INDEX_BITS),
        .GATE_TOWARDS_ZERO(GATE_TOWARDS_ZERO), .CELL_TOWARDS_ZERO(CELL_TOWARDS_ZERO), .CUTS(CUTS),
        .IN_LOGIC(IN_LOGIC), .COPIES(COPIES), .C_CLAMPED(C_CLAMPED),
        .GATE_INIT(GATE_INIT), .CELL_INIT(CELL_INIT)
    ) tail (
        .clk(clk), .rst(rst), .go(go), .sums(sums), .first(1'b0), .answer(answers[X_CYCLES]),
        .h_valid(h_valid), .h_first(), .h_answer(h_answer), .h_state(h_state), .h_copies(h_copies), .complete(complete),
        .clear(clear || wipe), .state_write(state_write), .state_address(state_address),
        .state_write_data(state_write_data), .state_read_data(state_read_data)
    );
    assign h_first = step_first;
endmodule

`resetall
