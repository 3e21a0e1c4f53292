// From gate sums to c and h, CHUNK units a cycle: look-ups, f·c + i·g, tanh(c), o·tanh(c). Holds h and c of the layer.
//
// A chunk is taken when its sums are ready (`chunk_ready`), the first one only when `h_ready` is high; nine cycles later its
// h leaves with `h_valid` and stands in `h_state`. Rows of `sums`: 4 * unit + gate, gates i, f, g, o.
// Memories: MEMORY gate table, + 1 cell table, read by every lane.
//
// Stages: 0 choose, 1 index, 2 table, 3 gates, 4 products, 5 c, 6 index and table, 7 tanh, 8 product, 9 h.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module folded_tail #(
    parameter int UNITS = 32,
    parameter int CHUNK = 4,
    parameter int A_WIDTH = 24,
    parameter int A_FRACTION = 18,
    parameter int H_WIDTH = 12,
    parameter int H_FRACTION = 11,
    parameter int H_ROUND = 1,
    parameter int H_SATURATE = 1,
    parameter int C_WIDTH = 16,
    parameter int C_FRACTION = 12,
    parameter int C_ROUND = 1,
    parameter int C_SATURATE = 1,
    parameter int T_WIDTH = 13,
    parameter int T_FRACTION = 12,
    parameter int GATE_INDEX_BITS = 10,
    parameter int CELL_INDEX_BITS = 10,
    parameter int GATE_TOWARDS_ZERO = 0,
    parameter int CELL_TOWARDS_ZERO = 0,
    parameter logic [7:0] MEMORY = 0,
    parameter GATE_INIT = "",
    parameter CELL_INIT = "",
    parameter int CHUNKS = (UNITS + CHUNK - 1) / CHUNK
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       bank,
    input  wire [4*UNITS*A_WIDTH-1:0] sums,
    input  wire [         CHUNKS-1:0] chunk_ready,
    input  wire                       first,        // c = 0 before this step
    input  wire                       answer,
    output reg                        h_valid,
    output reg                        h_last,
    output wire [  CHUNK*H_WIDTH-1:0] h,
    output reg                        h_first,
    output reg                        h_answer,
    input  wire                       h_ready,
    output wire                       h_complete,   // the last chunk's h is being written
    output wire [  UNITS*H_WIDTH-1:0] h_state,
    input  wire                       clear,
    input  wire                       state_write,
    input  wire [               12:0] state_address,
    input  wire [               31:0] state_write_data,
    output reg  [               31:0] state_read_data,
    input  wire                       load_write,
    input  wire [               31:0] load_address,
    input  wire [               31:0] load_data
);
    localparam int NUMBER_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
    localparam int FC_FRACTION = T_FRACTION + C_FRACTION;
    localparam int IG_FRACTION = 2 * T_FRACTION;
    localparam int S_FRACTION = FC_FRACTION > IG_FRACTION ? FC_FRACTION : IG_FRACTION;
    localparam int FC_WIDTH = T_WIDTH + C_WIDTH + S_FRACTION - FC_FRACTION;
    localparam int IG_WIDTH = 2 * T_WIDTH + S_FRACTION - IG_FRACTION;
    localparam int S_WIDTH = (FC_WIDTH > IG_WIDTH ? FC_WIDTH : IG_WIDTH) + 1;
    localparam int STAGES = 9;

    // ---- stage 0: choose
    reg [NUMBER_BITS-1:0] number;
    wire take = chunk_ready[number] && (number != 0 || h_ready);
    wire last = number == CHUNKS - 1;
    reg waiting;  // all chunks are taken, their passes not yet forgotten
    wire go = take && !waiting;

    reg [STAGES:1] valid, ends;
    reg [NUMBER_BITS-1:0] numbers[1:STAGES];
    reg step_first, step_answer;
    integer s;
    always @(posedge clk) begin
        valid <= {valid[STAGES-1:1], go};
        ends <= {ends[STAGES-1:1], go && last};
        numbers[1] <= number;
        for (s = 2; s <= STAGES; s = s + 1) numbers[s] <= numbers[s-1];
        if (go) begin
            number <= last ? 0 : number + 1'b1;
            waiting <= last;
            if (number == 0) begin
                step_first <= first;
                step_answer <= answer;
            end
        end
        if (h_complete) waiting <= 0;
        if (rst) begin
            valid <= 0;
            ends <= 0;
            number <= 0;
            waiting <= 0;
        end
    end
    assign h_complete = valid[8] && ends[8];

    always @(posedge clk) begin
        h_valid <= valid[8] && !rst;
        h_last <= ends[8];
        h_first <= step_first;
        h_answer <= step_answer;
    end

    // ---- state
    reg [CHUNKS*CHUNK*H_WIDTH-1:0] hidden;
    reg [CHUNKS*CHUNK*C_WIDTH-1:0] cell_state;
    assign h_state = hidden[UNITS*H_WIDTH-1:0];
    wire [CHUNK*C_WIDTH-1:0] new_cell;
    wire [CHUNK*H_WIDTH-1:0] new_hidden;
    genvar k, g, n;
    generate
        for (n = 0; n < CHUNKS; n = n + 1) begin : g_state
            for (k = 0; k < CHUNK; k = k + 1) begin : g_unit
                localparam int UNIT = n * CHUNK + k;
                wire written = state_write && state_address[11:0] == UNIT;
                always @(posedge clk) begin
                    if (valid[8] && numbers[8] == n) hidden[UNIT*H_WIDTH+:H_WIDTH] <= new_hidden[k*H_WIDTH+:H_WIDTH];
                    if (valid[5] && numbers[5] == n) cell_state[UNIT*C_WIDTH+:C_WIDTH] <= new_cell[k*C_WIDTH+:C_WIDTH];
                    if (clear || rst) begin
                        hidden[UNIT*H_WIDTH+:H_WIDTH] <= 0;
                        cell_state[UNIT*C_WIDTH+:C_WIDTH] <= 0;
                    end
                    if (written && !state_address[12]) hidden[UNIT*H_WIDTH+:H_WIDTH] <= state_write_data[H_WIDTH-1:0];
                    if (written && state_address[12]) cell_state[UNIT*C_WIDTH+:C_WIDTH] <= state_write_data[C_WIDTH-1:0];
                end
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

    // ---- lanes
    wire [CHUNKS*CHUNK*4*A_WIDTH-1:0] padded = sums;
    generate
        for (k = 0; k < CHUNK; k = k + 1) begin : g_lane
            wire signed [T_WIDTH-1:0] gates[0:3];
            for (g = 0; g < 4; g = g + 1) begin : g_gate
                localparam int BITS = g == 2 ? CELL_INDEX_BITS : GATE_INDEX_BITS;
                reg signed [A_WIDTH-1:0] sum;
                always @(posedge clk) sum <= padded[(4*(number*CHUNK+k)+g)*A_WIDTH+:A_WIDTH];
                wire [BITS-1:0] index;
                table_index #(
                    .WIDTH(A_WIDTH), .FRACTION(A_FRACTION), .INDEX_BITS(BITS), .RANGE_BITS(g == 2 ? 3 : 4),
                    .TOWARDS_ZERO(g == 2 ? CELL_TOWARDS_ZERO : GATE_TOWARDS_ZERO)
                ) to_index (.value(sum), .index(index));
                wire [T_WIDTH-1:0] entry;
                if (g == 2) begin : g_tanh
                    bank_memory #(
                        .WIDTH(T_WIDTH), .DEPTH(1 << BITS), .MEMORY(MEMORY + 8'd1), .INIT(CELL_INIT), .ADDRESS_BITS(BITS)
                    ) entries (
                        .clk(clk), .bank(bank), .advance(1'b1), .address(index), .word(entry),
                        .load_write(load_write), .load_address(load_address), .load_data(load_data)
                    );
                end else begin : g_sigmoid
                    bank_memory #(
                        .WIDTH(T_WIDTH), .DEPTH(1 << BITS), .MEMORY(MEMORY), .INIT(GATE_INIT), .ADDRESS_BITS(BITS)
                    ) entries (
                        .clk(clk), .bank(bank), .advance(1'b1), .address(index), .word(entry),
                        .load_write(load_write), .load_address(load_address), .load_data(load_data)
                    );
                end
                reg signed [T_WIDTH-1:0] value;
                always @(posedge clk) value <= entry;
                assign gates[g] = value;
            end
            // stage 3 → 4: products; o waits
            reg signed [C_WIDTH-1:0] earlier;
            reg signed [T_WIDTH+C_WIDTH-1:0] kept;
            reg signed [2*T_WIDTH-1:0] added;
            reg signed [T_WIDTH-1:0] open_4, open_5, open_6, open_7;
            always @(posedge clk) begin
                earlier <= step_first ? 0 : cell_state[(numbers[2]*CHUNK+k)*C_WIDTH+:C_WIDTH];
                kept <= gates[1] * earlier;
                added <= gates[0] * gates[2];
                open_4 <= gates[3];
                open_5 <= open_4;
                open_6 <= open_5;
                open_7 <= open_6;
            end
            // stage 4 → 5: c
            wire signed [S_WIDTH-1:0] kept_wide = kept;
            wire signed [S_WIDTH-1:0] added_wide = added;
            wire signed [S_WIDTH-1:0] cell_sum =
                (kept_wide <<< (S_FRACTION - FC_FRACTION)) + (added_wide <<< (S_FRACTION - IG_FRACTION));
            wire signed [C_WIDTH-1:0] cell_next;
            convert #(
                .FROM_WIDTH(S_WIDTH), .FROM_FRACTION(S_FRACTION), .TO_WIDTH(C_WIDTH), .TO_FRACTION(C_FRACTION),
                .ROUND(C_ROUND), .SATURATE(C_SATURATE)
            ) to_cell (.value(cell_sum), .converted(cell_next));
            reg signed [C_WIDTH-1:0] c;
            always @(posedge clk) c <= cell_next;
            assign new_cell[k*C_WIDTH+:C_WIDTH] = c;
            // stage 5 → 7: tanh(c)
            wire [CELL_INDEX_BITS-1:0] cell_index;
            table_index #(
                .WIDTH(C_WIDTH), .FRACTION(C_FRACTION), .INDEX_BITS(CELL_INDEX_BITS), .RANGE_BITS(3),
                .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
            ) to_index (.value(c), .index(cell_index));
            wire [T_WIDTH-1:0] entry;
            bank_memory #(
                .WIDTH(T_WIDTH), .DEPTH(1 << CELL_INDEX_BITS), .MEMORY(MEMORY + 8'd1), .INIT(CELL_INIT),
                .ADDRESS_BITS(CELL_INDEX_BITS)
            ) entries (
                .clk(clk), .bank(bank), .advance(1'b1), .address(cell_index), .word(entry),
                .load_write(load_write), .load_address(load_address), .load_data(load_data)
            );
            // stage 6 → 8: o·tanh(c), h
            reg signed [T_WIDTH-1:0] squashed;
            reg signed [2*T_WIDTH-1:0] product;
            always @(posedge clk) begin
                squashed <= entry;
                product <= open_7 * squashed;
            end
            convert #(
                .FROM_WIDTH(2 * T_WIDTH), .FROM_FRACTION(2 * T_FRACTION), .TO_WIDTH(H_WIDTH), .TO_FRACTION(H_FRACTION),
                .ROUND(H_ROUND), .SATURATE(H_SATURATE)
            ) to_hidden (.value(product), .converted(new_hidden[k*H_WIDTH+:H_WIDTH]));
        end
        for (k = 0; k < CHUNK; k = k + 1) begin : g_out
            reg [H_WIDTH-1:0] value;
            always @(posedge clk) value <= numbers[8] * CHUNK + k < UNITS ? new_hidden[k*H_WIDTH+:H_WIDTH] : 0;
            assign h[k*H_WIDTH+:H_WIDTH] = value;
        end
    endgenerate
endmodule

`resetall
