// From gate sums to c and h for all units at once; holds h and c of the layer. Tables are constants in block RAM, two look-ups a memory.
//
// `go` takes `sums` (rows 4 * unit + gate, gates i, f, g, o); h leaves four cycles later with `h_valid` and stands in `h_state`.
// Stages: 0 index, 1 gates and products, 2 c and index of tanh(c), 3 tanh(c) and h.
// Half an LSB of c is added in the carry chain of f·c + i·g; the index of tanh(c) is taken before c is clamped where the table ends before c does.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module loadable_tail #(
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
    output wire                       complete,  // h is written at the end of this cycle
    input  wire                       clear,
    input  wire                       state_write,
    input  wire [               12:0] state_address,
    input  wire [               31:0] state_write_data,
    output reg  [               31:0] state_read_data
);
    localparam int FC_FRACTION = T_FRACTION + C_FRACTION;
    localparam int IG_FRACTION = 2 * T_FRACTION;
    localparam int S_FRACTION = FC_FRACTION > IG_FRACTION ? FC_FRACTION : IG_FRACTION;
    localparam int FC_WIDTH = T_WIDTH + C_WIDTH + S_FRACTION - FC_FRACTION;
    localparam int IG_WIDTH = 2 * T_WIDTH + S_FRACTION - IG_FRACTION;
    localparam int S_WIDTH = (FC_WIDTH > IG_WIDTH ? FC_WIDTH : IG_WIDTH) + 2;
    localparam int ROUND_EARLY = C_ROUND != 0 && S_FRACTION > C_FRACTION ? 1 : 0;
    localparam int HALF_PLACE = ROUND_EARLY != 0 ? S_FRACTION - C_FRACTION - 1 : 0;
    // clamped c and c give the same index where the table's range lies inside that of c
    localparam int CELL_RANGE_BITS = 3;
    localparam int INDEX_EARLY =
        C_SATURATE != 0 && (C_ROUND == 0 || ROUND_EARLY != 0) && C_WIDTH - C_FRACTION >= CELL_RANGE_BITS &&
        S_FRACTION >= C_FRACTION ? 1 : 0;
    localparam int WIDE_C = S_WIDTH - (S_FRACTION - C_FRACTION) > C_WIDTH ? S_WIDTH - (S_FRACTION - C_FRACTION) : C_WIDTH;

    // ---- the step on its way: any, first, answer
    reg [2:0] stage_1, stage_2, stage_3;
    always @(posedge clk) begin
        stage_1 <= rst ? 3'd0 : {go, first, answer};
        stage_2 <= rst ? 3'd0 : stage_1;
        stage_3 <= rst ? 3'd0 : stage_2;
        h_valid <= stage_3[2] && !rst;
        h_first <= stage_3[1];
        h_answer <= stage_3[0];
    end
    assign complete = stage_3[2];

    // ---- look-ups: i and f of a unit share a memory, so do g, o and tanh(c) of two units
    wire [UNITS*GATE_INDEX_BITS-1:0] in_index, forget_index, out_index;
    wire [UNITS*CELL_INDEX_BITS-1:0] new_index, cell_index;
    wire [UNITS*T_WIDTH-1:0] in_entry, forget_entry, out_entry, new_entry, cell_entry;
    genvar unit;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_gates
            constant_memory #(.WIDTH(T_WIDTH), .INDEX_BITS(GATE_INDEX_BITS), .READS(2), .INIT(GATE_INIT)) in_forget (
                .clk(clk), .indices({forget_index[unit*GATE_INDEX_BITS+:GATE_INDEX_BITS], in_index[unit*GATE_INDEX_BITS+:GATE_INDEX_BITS]}),
                .found({forget_entry[unit*T_WIDTH+:T_WIDTH], in_entry[unit*T_WIDTH+:T_WIDTH]})
            );
        end
        for (unit = 0; unit < UNITS; unit = unit + 2) begin : g_pair
            localparam int READS = UNITS - unit > 1 ? 2 : 1;
            constant_memory #(.WIDTH(T_WIDTH), .INDEX_BITS(GATE_INDEX_BITS), .READS(READS), .INIT(GATE_INIT)) outs (
                .clk(clk), .indices(out_index[unit*GATE_INDEX_BITS+:READS*GATE_INDEX_BITS]),
                .found(out_entry[unit*T_WIDTH+:READS*T_WIDTH])
            );
            constant_memory #(.WIDTH(T_WIDTH), .INDEX_BITS(CELL_INDEX_BITS), .READS(READS), .INIT(CELL_INIT)) news (
                .clk(clk), .indices(new_index[unit*CELL_INDEX_BITS+:READS*CELL_INDEX_BITS]),
                .found(new_entry[unit*T_WIDTH+:READS*T_WIDTH])
            );
            constant_memory #(.WIDTH(T_WIDTH), .INDEX_BITS(CELL_INDEX_BITS), .READS(READS), .INIT(CELL_INIT)) cells (
                .clk(clk), .indices(cell_index[unit*CELL_INDEX_BITS+:READS*CELL_INDEX_BITS]),
                .found(cell_entry[unit*T_WIDTH+:READS*T_WIDTH])
            );
        end
    endgenerate

    // ---- units
    reg [UNITS*H_WIDTH-1:0] hidden;
    reg [UNITS*C_WIDTH-1:0] cell_state;
    assign h_state = hidden;
    genvar g;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_unit
            // stage 0
            for (g = 0; g < 4; g = g + 1) begin : g_gate
                localparam int BITS = g == 2 ? CELL_INDEX_BITS : GATE_INDEX_BITS;
                wire [BITS-1:0] index;
                table_index #(
                    .WIDTH(A_WIDTH), .FRACTION(A_FRACTION), .INDEX_BITS(BITS), .RANGE_BITS(g == 2 ? CELL_RANGE_BITS : 4),
                    .TOWARDS_ZERO(g == 2 ? CELL_TOWARDS_ZERO : GATE_TOWARDS_ZERO)
                ) to_index (.value(sums[(4*unit+g)*A_WIDTH+:A_WIDTH]), .index(index));
                if (g == 0) assign in_index[unit*BITS+:BITS] = index;
                else if (g == 1) assign forget_index[unit*BITS+:BITS] = index;
                else if (g == 2) assign new_index[unit*BITS+:BITS] = index;
                else assign out_index[unit*BITS+:BITS] = index;
            end
            // stage 1
            wire signed [T_WIDTH-1:0] in = in_entry[unit*T_WIDTH+:T_WIDTH];
            wire signed [T_WIDTH-1:0] forget = forget_entry[unit*T_WIDTH+:T_WIDTH];
            wire signed [T_WIDTH-1:0] new_value = new_entry[unit*T_WIDTH+:T_WIDTH];
            wire signed [C_WIDTH-1:0] earlier = stage_1[1] ? 0 : cell_state[unit*C_WIDTH+:C_WIDTH];
            wire signed [T_WIDTH+C_WIDTH-1:0] kept;
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(C_WIDTH), .INPUT(0)) keep (.clk(clk), .a(forget), .b(earlier), .product(kept));
            wire signed [2*T_WIDTH-1:0] added, product;
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(T_WIDTH), .INPUT(0)) add (.clk(clk), .a(in), .b(new_value), .product(added));
            reg signed [T_WIDTH-1:0] out_2, out_3;
            always @(posedge clk) begin
                out_2 <= out_entry[unit*T_WIDTH+:T_WIDTH];
                out_3 <= out_2;
            end
            // stage 2
            wire signed [S_WIDTH-1:0] kept_wide = kept;
            wire signed [S_WIDTH-1:0] added_wide = added;
            wire signed [S_WIDTH-1:0] kept_aligned = kept_wide <<< (S_FRACTION - FC_FRACTION);
            wire signed [S_WIDTH-1:0] added_aligned = added_wide <<< (S_FRACTION - IG_FRACTION);
            wire signed [S_WIDTH-1:0] cell_sum;
            if (ROUND_EARLY != 0) begin : g_rounded
                sum_with_half #(.WIDTH(S_WIDTH), .HALF(HALF_PLACE)) to_sum (.a(kept_aligned), .b(added_aligned), .sum(cell_sum));
            end else begin : g_exact
                assign cell_sum = kept_aligned + added_aligned;
            end
            wire signed [C_WIDTH-1:0] cell_next;
            convert #(
                .FROM_WIDTH(S_WIDTH), .FROM_FRACTION(S_FRACTION), .TO_WIDTH(C_WIDTH), .TO_FRACTION(C_FRACTION),
                .ROUND(C_ROUND != 0 && ROUND_EARLY == 0), .SATURATE(C_SATURATE)
            ) to_cell (.value(cell_sum), .converted(cell_next));
            wire signed [WIDE_C-1:0] squashed_c;
            if (INDEX_EARLY != 0) begin : g_early
                assign squashed_c = cell_sum >>> (S_FRACTION - C_FRACTION);
            end else begin : g_clamped
                assign squashed_c = cell_next;
            end
            table_index #(
                .WIDTH(WIDE_C), .FRACTION(C_FRACTION), .INDEX_BITS(CELL_INDEX_BITS), .RANGE_BITS(CELL_RANGE_BITS),
                .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
            ) to_cell_index (.value(squashed_c), .index(cell_index[unit*CELL_INDEX_BITS+:CELL_INDEX_BITS]));
            // stage 3
            wire signed [T_WIDTH-1:0] squashed = cell_entry[unit*T_WIDTH+:T_WIDTH];
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(T_WIDTH), .INPUT(0), .OUTPUT(0)) squash (.clk(clk), .a(out_3), .b(squashed), .product(product));
            wire signed [H_WIDTH-1:0] hidden_next;
            convert #(
                .FROM_WIDTH(2 * T_WIDTH), .FROM_FRACTION(2 * T_FRACTION), .TO_WIDTH(H_WIDTH), .TO_FRACTION(H_FRACTION),
                .ROUND(H_ROUND), .SATURATE(H_SATURATE)
            ) to_hidden (.value(product), .converted(hidden_next));

            wire written = state_write && state_address[11:0] == unit;
            wire [H_WIDTH-1:0] hidden_given = state_write ? state_write_data[H_WIDTH-1:0] : hidden_next;
            wire hidden_taken = stage_3[2] || (written && !state_address[12]);
            always @(posedge clk) begin
                if (hidden_taken) hidden[unit*H_WIDTH+:H_WIDTH] <= hidden_given;
                if (stage_2[2]) cell_state[unit*C_WIDTH+:C_WIDTH] <= cell_next;
                if (written && state_address[12]) cell_state[unit*C_WIDTH+:C_WIDTH] <= state_write_data[C_WIDTH-1:0];
                if (clear || rst) begin
                    hidden[unit*H_WIDTH+:H_WIDTH] <= 0;
                    cell_state[unit*C_WIDTH+:C_WIDTH] <= 0;
                end
            end
        end
    endgenerate

    reg [12:0] read_address;
    reg read_c;
    reg signed [H_WIDTH-1:0] read_hidden;
    reg signed [C_WIDTH-1:0] read_cell;
    wire signed [31:0] long_hidden = read_hidden;
    wire signed [31:0] long_cell = read_cell;
    always @(posedge clk) begin
        read_address <= state_address;
        read_c <= read_address[12];
        read_hidden <= hidden[read_address[11:0]*H_WIDTH+:H_WIDTH];
        read_cell <= cell_state[read_address[11:0]*C_WIDTH+:C_WIDTH];
        state_read_data <= read_c ? long_cell : long_hidden;
    end
endmodule

`resetall
