// From gate sums to c and h for all units at once; holds h and c of the layer. Tables are constants in block RAM, two look-ups a memory.
//
// `go` takes `sums` (rows 4 * unit + gate, gates i, f, g, o); h leaves four cycles later with `h_valid` and stands in `h_state`.
// Stages: 0 index, 1 gates and products, 2 c and index of tanh(c), 3 tanh(c) and h.
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

    // that it is a first step goes to every unit: a copy for four of them
    localparam int FIRSTS = (UNITS + 3) / 4;
    wire [FIRSTS-1:0] first_1;
    copies #(.WIDTH(1), .COPIES(FIRSTS)) firsts (.clk(clk), .d(first), .q(first_1));

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
                    .WIDTH(A_WIDTH), .FRACTION(A_FRACTION), .INDEX_BITS(BITS), .RANGE_BITS(g == 2 ? 3 : 4),
                    .TOWARDS_ZERO(g == 2 ? CELL_TOWARDS_ZERO : GATE_TOWARDS_ZERO)
                ) to_index (.value(sums[(4*unit+g)*A_WIDTH+:A_WIDTH]), .index(index));
                if (g == 0) assign in_index[unit*BITS+:BITS] = index;
                else if (g == 1) assign forget_index[unit*BITS+:BITS] = index;
                else if (g == 2) assign new_index[unit*BITS+:BITS] = index;
                else assign out_index[unit*BITS+:BITS] = index;
            end
            // stage 1
            wire signed [T_WIDTH-1:0] in = in_entry[unit*T_WIDTH+:T_WIDTH];
            // c of before counts as 0 in a first step: f is 0 then, which has fewer bits than c
            wire signed [T_WIDTH-1:0] forget = first_1[unit/4] ? 0 : forget_entry[unit*T_WIDTH+:T_WIDTH];
            wire signed [T_WIDTH-1:0] new_value = new_entry[unit*T_WIDTH+:T_WIDTH];
            wire signed [C_WIDTH-1:0] earlier = cell_state[unit*C_WIDTH+:C_WIDTH];
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
            wire signed [C_WIDTH-1:0] cell_next;
            next_cell #(
                .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION), .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .ROUND(C_ROUND),
                .SATURATE(C_SATURATE), .INDEX_BITS(CELL_INDEX_BITS), .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
            ) to_cell (
                .kept(kept), .added(added), .value(cell_next), .index(cell_index[unit*CELL_INDEX_BITS+:CELL_INDEX_BITS])
            );
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
