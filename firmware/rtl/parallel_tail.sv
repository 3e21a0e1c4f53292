// From gate sums to c and h for all units at once; holds h and c of the layer. Tables are constants.
//
// `go` takes `sums` (rows 4 * unit + gate, gates i, f, g, o); h leaves 1 + (number of cuts) cycles later with `h_valid` and stands in
// `h_state`. CUTS: registers behind the index (1), the gates (2), the products (4), c (8), tanh(c) (16); the fewer, the shorter the
// recurrent loop in cycles, the longer its cycle. Sums must stay until the first cut has taken them (with no cut: one cycle).
//
// What shortens the loop without a register, bit for bit the same: `next_cell`; C_CLAMPED says unit by unit which c can leave its range.
// IN_LOGIC 1: the products in logic beside their unit: multipliers stand in few rows of a chip, far from the rest of most units. Sigmoids
// must not be negative.
// COPIES: `h_copies` holds so many copies of h, each its own registers, for adders that are placed apart; copy 0 is `h_state`.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module parallel_tail #(
    parameter int UNITS = 32,
    parameter int A_WIDTH = 24,
    parameter int A_FRACTION = 18,
    parameter int H_WIDTH = 8,
    parameter int H_FRACTION = 7,
    parameter int H_ROUND = 1,
    parameter int H_SATURATE = 1,
    parameter int C_WIDTH = 16,
    parameter int C_FRACTION = 12,
    parameter int C_ROUND = 1,
    parameter int C_SATURATE = 1,
    parameter int T_WIDTH = 8,
    parameter int T_FRACTION = 7,
    parameter int GATE_INDEX_BITS = 8,
    parameter int CELL_INDEX_BITS = 8,
    parameter int GATE_TOWARDS_ZERO = 0,
    parameter int CELL_TOWARDS_ZERO = 0,
    parameter int CUTS = 31,
    parameter int IN_LOGIC = 0,
    parameter int COPIES = 1,
    parameter [UNITS-1:0] C_CLAMPED = {UNITS{1'b1}},
    parameter GATE_INIT = "",
    parameter CELL_INIT = ""
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       go,
    input  wire [4*UNITS*A_WIDTH-1:0] sums,
    input  wire                       first,     // c = 0 before this step
    input  wire                       answer,
    output reg                        h_valid,
    output reg                        h_first,
    output reg                        h_answer,
    output wire [  UNITS*H_WIDTH-1:0] h_state,
    output wire [COPIES*UNITS*H_WIDTH-1:0] h_copies,
    output wire                       complete,  // h is written at the end of this cycle
    input  wire                       clear,
    input  wire                       state_write,
    input  wire [               12:0] state_address,
    input  wire [               31:0] state_write_data,
    output reg  [               31:0] state_read_data
);
    localparam int CUT_INDEX = CUTS & 1, CUT_GATE = (CUTS >> 1) & 1, CUT_PRODUCT = (CUTS >> 2) & 1;
    localparam int CUT_CELL = (CUTS >> 3) & 1, CUT_TANH = (CUTS >> 4) & 1;

    initial if (COPIES < 1) $fatal(1, "parallel_tail: COPIES >= 1");

    // ---- the step on its way: valid, first, answer behind each cut
    wire [2:0] at_index, at_gate, at_product, at_cell, at_tanh;
    wire [2:0] given = {go && !rst, first, answer};
    flow #(.ON(CUT_INDEX)) past_index (.clk(clk), .rst(rst), .d(given), .q(at_index));
    flow #(.ON(CUT_GATE)) past_gate (.clk(clk), .rst(rst), .d(at_index), .q(at_gate));
    flow #(.ON(CUT_PRODUCT)) past_product (.clk(clk), .rst(rst), .d(at_gate), .q(at_product));
    flow #(.ON(CUT_CELL)) past_cell (.clk(clk), .rst(rst), .d(at_product), .q(at_cell));
    flow #(.ON(CUT_TANH)) past_tanh (.clk(clk), .rst(rst), .d(at_cell), .q(at_tanh));
    assign complete = at_tanh[2];
    always @(posedge clk) begin
        h_valid <= at_tanh[2] && !rst;
        h_first <= at_tanh[1];
        h_answer <= at_tanh[0];
    end

    reg [UNITS*H_WIDTH-1:0] hidden;
    reg [UNITS*C_WIDTH-1:0] cell_state;
    assign h_state = hidden;
    assign h_copies[0+:UNITS*H_WIDTH] = hidden;
    genvar unit, g, copy;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_unit
            wire [4*T_WIDTH-1:0] values;
            for (g = 0; g < 4; g = g + 1) begin : g_gate
                localparam int BITS = g == 2 ? CELL_INDEX_BITS : GATE_INDEX_BITS;
                wire [BITS-1:0] index, index_held;
                table_index #(
                    .WIDTH(A_WIDTH), .FRACTION(A_FRACTION), .INDEX_BITS(BITS), .RANGE_BITS(g == 2 ? 3 : 4),
                    .TOWARDS_ZERO(g == 2 ? CELL_TOWARDS_ZERO : GATE_TOWARDS_ZERO)
                ) to_index (.value(sums[(4*unit+g)*A_WIDTH+:A_WIDTH]), .index(index));
                stage #(.WIDTH(BITS), .ON(CUT_INDEX)) hold_index (.clk(clk), .d(index), .q(index_held));
                wire [T_WIDTH-1:0] entry;
                if (g == 2) begin : g_tanh
                    constant_table #(.WIDTH(T_WIDTH), .INDEX_BITS(BITS), .INIT(CELL_INIT)) entries (
                        .index(index_held), .entry(entry)
                    );
                end else begin : g_sigmoid
                    constant_table #(.WIDTH(T_WIDTH), .INDEX_BITS(BITS), .INIT(GATE_INIT)) entries (
                        .index(index_held), .entry(entry)
                    );
                end
                stage #(.WIDTH(T_WIDTH), .ON(CUT_GATE)) hold_gate (.clk(clk), .d(entry), .q(values[g*T_WIDTH+:T_WIDTH]));
            end
            wire signed [T_WIDTH-1:0] in = values[0+:T_WIDTH];
            wire signed [T_WIDTH-1:0] forget = values[T_WIDTH+:T_WIDTH];
            wire signed [T_WIDTH-1:0] new_value = values[2*T_WIDTH+:T_WIDTH];
            wire [T_WIDTH-1:0] out_now = values[3*T_WIDTH+:T_WIDTH];
            wire signed [C_WIDTH-1:0] earlier = at_gate[1] ? 0 : cell_state[unit*C_WIDTH+:C_WIDTH];
            wire signed [T_WIDTH+C_WIDTH-1:0] kept;
            wire signed [2*T_WIDTH-1:0] added;
            multiply #(.A_WIDTH(C_WIDTH), .B_WIDTH(T_WIDTH), .INPUT(0), .OUTPUT(CUT_PRODUCT), .BLOCK(IN_LOGIC == 0)) keep (
                .clk(clk), .a(earlier), .b(forget), .product(kept)
            );
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(T_WIDTH), .INPUT(0), .OUTPUT(CUT_PRODUCT), .BLOCK(IN_LOGIC == 0)) add (
                .clk(clk), .a(new_value), .b(in), .product(added)
            );
            wire [T_WIDTH-1:0] out_product, out_cell;
            wire signed [T_WIDTH-1:0] out;
            stage #(.WIDTH(T_WIDTH), .ON(CUT_PRODUCT)) hold_out_1 (.clk(clk), .d(out_now), .q(out_product));
            stage #(.WIDTH(T_WIDTH), .ON(CUT_CELL)) hold_out_2 (.clk(clk), .d(out_product), .q(out_cell));
            stage #(.WIDTH(T_WIDTH), .ON(CUT_TANH)) hold_out_3 (.clk(clk), .d(out_cell), .q(out));

            wire signed [C_WIDTH-1:0] cell_next;
            wire [CELL_INDEX_BITS-1:0] index_next, cell_index;
            next_cell #(
                .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION), .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .ROUND(C_ROUND),
                .SATURATE(C_SATURATE != 0 && C_CLAMPED[unit]), .INDEX_BITS(CELL_INDEX_BITS), .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
            ) to_cell (.kept(kept), .added(added), .value(cell_next), .index(index_next));
            if (CUT_CELL != 0) begin : g_index_of_held
                reg signed [C_WIDTH-1:0] c;
                always @(posedge clk) c <= cell_next;
                table_index #(
                    .WIDTH(C_WIDTH), .FRACTION(C_FRACTION), .INDEX_BITS(CELL_INDEX_BITS), .RANGE_BITS(3),
                    .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
                ) to_index (.value(c), .index(cell_index));
            end else begin : g_index_at_once
                assign cell_index = index_next;
            end
            wire [T_WIDTH-1:0] squashed_now;
            constant_table #(.WIDTH(T_WIDTH), .INDEX_BITS(CELL_INDEX_BITS), .INIT(CELL_INIT)) squash (
                .index(cell_index), .entry(squashed_now)
            );
            wire signed [T_WIDTH-1:0] squashed;
            stage #(.WIDTH(T_WIDTH), .ON(CUT_TANH)) hold_tanh (.clk(clk), .d(squashed_now), .q(squashed));
            wire signed [H_WIDTH-1:0] hidden_next;
            if (IN_LOGIC != 0) begin : g_product_in_logic
                small_product #(
                    .A_WIDTH(T_WIDTH - 1), .B_WIDTH(T_WIDTH), .FRACTION(2 * T_FRACTION), .TO_WIDTH(H_WIDTH),
                    .TO_FRACTION(H_FRACTION), .ROUND(H_ROUND), .SATURATE(H_SATURATE)
                ) to_hidden (.a(out[T_WIDTH-2:0]), .b(squashed), .converted(hidden_next));
            end else begin : g_multiplier
                wire signed [2*T_WIDTH-1:0] product = out * squashed;
                convert #(
                    .FROM_WIDTH(2 * T_WIDTH), .FROM_FRACTION(2 * T_FRACTION), .TO_WIDTH(H_WIDTH), .TO_FRACTION(H_FRACTION),
                    .ROUND(H_ROUND), .SATURATE(H_SATURATE)
                ) to_hidden (.value(product), .converted(hidden_next));
            end

            wire written = state_write && state_address[11:0] == unit;
            wire [H_WIDTH-1:0] hidden_given = state_write ? state_write_data[H_WIDTH-1:0] : hidden_next;
            wire hidden_taken = at_tanh[2] || (written && !state_address[12]);
            always @(posedge clk) begin
                if (hidden_taken) hidden[unit*H_WIDTH+:H_WIDTH] <= hidden_given;
                if (at_product[2]) cell_state[unit*C_WIDTH+:C_WIDTH] <= cell_next;
                if (written && state_address[12]) cell_state[unit*C_WIDTH+:C_WIDTH] <= state_write_data[C_WIDTH-1:0];
                if (clear || rst) begin
                    hidden[unit*H_WIDTH+:H_WIDTH] <= 0;
                    cell_state[unit*C_WIDTH+:C_WIDTH] <= 0;
                end
            end
            for (copy = 1; copy < COPIES; copy = copy + 1) begin : g_copy
                (* keep *) reg [H_WIDTH-1:0] hidden_copy;
                always @(posedge clk) begin
                    if (hidden_taken) hidden_copy <= hidden_given;
                    if (clear || rst) hidden_copy <= 0;
                end
                assign h_copies[(copy*UNITS+unit)*H_WIDTH+:H_WIDTH] = hidden_copy;
            end
        end
    endgenerate

    reg [12:0] read_address;
    wire signed [H_WIDTH-1:0] read_hidden = hidden[read_address[11:0]*H_WIDTH+:H_WIDTH];
    wire signed [C_WIDTH-1:0] read_cell = cell_state[read_address[11:0]*C_WIDTH+:C_WIDTH];
    wire signed [31:0] long_hidden = read_hidden;
    wire signed [31:0] long_cell = read_cell;
    always @(posedge clk) begin
        read_address <= state_address;
        state_read_data <= read_address[12] ? long_cell : long_hidden;
    end
endmodule

`resetall
