// From gate sums to c and h, CHUNK units a cycle: bias, look-ups, f·c + i·g, tanh(c), o·tanh(c). Holds h and c of the layer.
//
// A chunk is taken when its sums are ready (`chunk_ready`), the first one only when `h_ready` is high; nine cycles later its
// h leaves with `h_valid` and stands in `h_state`. Rows of `sums`: 4 * unit + gate, gates i, f, g, o. The first chunk of a step
// comes only after the last h of the step before. c lies in distributed RAM: a chunk that is not `live` reads as 0, so that one
// cycle clears all.
// Memories: MEMORY biases (a word a chunk), + 1 gate table, + 2 cell table, read by every lane.
//
// Stages: 0 bias and index, 1 table, 2 entry, 3 products, 4 sum, 5 index and c, 6 table, 7 product, 8 h.
// Preconditions: CHUNK a power of two.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module folded_tail #(
    parameter int UNITS = 32,
    parameter int CHUNK = 4,
    parameter int S_WIDTH = 24,
    parameter int SUM_SHIFT = 0,  // from the binary point of `sums` to the accumulator's
    parameter int B_WIDTH = 12,
    parameter int B_SHIFT = 0,    // from that of the bias
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
    parameter BIAS_INIT = "",
    parameter GATE_INIT = "",
    parameter CELL_INIT = "",
    parameter int CHUNKS = (UNITS + CHUNK - 1) / CHUNK
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       bank,
    input  wire                       swap,
    input  wire [4*CHUNK*S_WIDTH-1:0] sums,
    input  wire                       chunk_ready,
    output wire                       chunk_taken,
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
    localparam int PLACE_BITS = $clog2(CHUNK);
    localparam int LAST_UNITS = UNITS - (CHUNKS - 1) * CHUNK;  // of the last chunk
    localparam int STAGES = 8;

    initial if ((CHUNK & (CHUNK - 1)) != 0) $fatal(1, "folded_tail: CHUNK is a power of two");

    // ---- stage 0: take a chunk
    reg [NUMBER_BITS-1:0] number;
    reg started;  // part of a step is taken
    wire last = number == CHUNKS - 1;
    wire go = chunk_ready && (started || h_ready);
    assign chunk_taken = go;

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
            started <= !last;
            if (!started) begin
                step_first <= first;
                step_answer <= answer;
            end
        end
        if (rst) begin
            valid <= 0;
            ends <= 0;
            number <= 0;
            started <= 0;
        end
    end
    assign h_complete = valid[8] && ends[8];

    always @(posedge clk) begin
        h_valid <= valid[8] && !rst;
        h_last <= ends[8];
        h_first <= step_first;
        h_answer <= step_answer;
    end

    // the bias of the coming chunk waits in `bias`, that of the one after it at the memory's output
    reg [1:0] primed;
    wire advance = go || primed != 2;
    reg [NUMBER_BITS-1:0] bias_number;
    wire [4*CHUNK*B_WIDTH-1:0] bias_word;
    reg [4*CHUNK*B_WIDTH-1:0] bias;
    bank_memory #(
        .WIDTH(4 * CHUNK * B_WIDTH), .DEPTH(CHUNKS), .MEMORY(MEMORY), .INIT(BIAS_INIT), .ADDRESS_BITS(NUMBER_BITS)
    ) biases (
        .clk(clk), .bank(bank), .advance(advance), .address(bias_number), .word(bias_word),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );
    always @(posedge clk) begin
        if (advance) begin
            bias <= bias_word;
            bias_number <= bias_number == CHUNKS - 1 ? 0 : bias_number + 1'b1;
        end
        if (primed != 2) primed <= primed + 1'b1;
        if (swap || rst) begin
            primed <= 0;
            bias_number <= 0;
        end
    end

    // ---- state: h in registers (all of it is read at once), c in distributed RAM
    reg [CHUNKS*CHUNK*H_WIDTH-1:0] hidden;
    reg [CHUNKS-1:0] live;  // chunks of c that are not 0 by decree
    assign h_state = hidden[UNITS*H_WIDTH-1:0];
    wire [CHUNK*H_WIDTH-1:0] new_hidden;
    wire [NUMBER_BITS-1:0] state_number = state_address[11:0] >> PLACE_BITS;
    wire state_writes_c = state_write && state_address[12];
    reg [12:0] read_address;
    reg read_c;
    wire [NUMBER_BITS-1:0] read_number = read_address[11:0] >> PLACE_BITS;
    wire [NUMBER_BITS-1:0] cell_number = valid[2] ? numbers[2] : read_number;
    wire cell_live = live[cell_number];
    wire [CHUNK*C_WIDTH-1:0] cells;  // c of chunk `cell_number`
    genvar k, g, n;
    generate
        for (n = 0; n < CHUNKS; n = n + 1) begin : g_hidden
            for (k = 0; k < CHUNK; k = k + 1) begin : g_unit
                localparam int UNIT = n * CHUNK + k;
                always @(posedge clk) begin
                    if (valid[8] && numbers[8] == n) hidden[UNIT*H_WIDTH+:H_WIDTH] <= new_hidden[k*H_WIDTH+:H_WIDTH];
                    if (state_write && !state_address[12] && state_address[11:0] == UNIT)
                        hidden[UNIT*H_WIDTH+:H_WIDTH] <= state_write_data[H_WIDTH-1:0];
                    if (clear || rst) hidden[UNIT*H_WIDTH+:H_WIDTH] <= 0;
                end
            end
        end
    endgenerate
    always @(posedge clk) begin
        if (valid[5]) live[numbers[5]] <= 1;
        if (state_writes_c) live[state_number] <= 1;
        if (clear || rst) live <= 0;
    end

    // reading: address, choice, sign
    reg signed [H_WIDTH-1:0] chosen_hidden, read_hidden;
    reg signed [C_WIDTH-1:0] chosen_cell, read_cell;
    wire signed [31:0] long_hidden = read_hidden;
    wire signed [31:0] long_cell = read_cell;
    integer u;
    always @* begin
        chosen_hidden = 0;
        for (u = 0; u < UNITS; u = u + 1)
            chosen_hidden = chosen_hidden | (hidden[u*H_WIDTH+:H_WIDTH] & {H_WIDTH{read_address[11:0] == u}});
        chosen_cell = 0;
        for (u = 0; u < CHUNK; u = u + 1)
            chosen_cell = chosen_cell | (cells[u*C_WIDTH+:C_WIDTH] & {C_WIDTH{(read_address[11:0] & (CHUNK - 1)) == u}});
    end
    always @(posedge clk) begin
        read_address <= state_address;
        read_c <= read_address[12];
        read_hidden <= chosen_hidden;
        read_cell <= chosen_cell;
        state_read_data <= read_c ? long_cell : long_hidden;
    end

    // ---- lanes
    generate
        for (k = 0; k < CHUNK; k = k + 1) begin : g_lane
            wire [T_WIDTH-1:0] gates[0:3];  // entries, in stage 2
            for (g = 0; g < 4; g = g + 1) begin : g_gate
                localparam int BITS = g == 2 ? CELL_INDEX_BITS : GATE_INDEX_BITS;
                wire signed [S_WIDTH-1:0] sum = sums[(4*k+g)*S_WIDTH+:S_WIDTH];
                wire signed [B_WIDTH-1:0] offset = bias[(4*k+g)*B_WIDTH+:B_WIDTH];
                wire signed [A_WIDTH-1:0] wide_sum = sum;
                wire signed [A_WIDTH-1:0] wide_offset = offset;
                wire signed [A_WIDTH-1:0] a = (wide_sum <<< SUM_SHIFT) + (wide_offset <<< B_SHIFT);
                wire [BITS-1:0] next_index;
                table_index #(
                    .WIDTH(A_WIDTH), .FRACTION(A_FRACTION), .INDEX_BITS(BITS), .RANGE_BITS(g == 2 ? 3 : 4),
                    .TOWARDS_ZERO(g == 2 ? CELL_TOWARDS_ZERO : GATE_TOWARDS_ZERO)
                ) to_index (.value(a), .index(next_index));
                reg [BITS-1:0] index;
                always @(posedge clk) index <= next_index;
                wire [T_WIDTH-1:0] entry;
                if (g == 2) begin : g_tanh
                    bank_memory #(
                        .WIDTH(T_WIDTH), .DEPTH(1 << BITS), .MEMORY(MEMORY + 8'd2), .INIT(CELL_INIT), .ADDRESS_BITS(BITS)
                    ) entries (
                        .clk(clk), .bank(bank), .advance(1'b1), .address(index), .word(entry),
                        .load_write(load_write), .load_address(load_address), .load_data(load_data)
                    );
                end else begin : g_sigmoid
                    bank_memory #(
                        .WIDTH(T_WIDTH), .DEPTH(1 << BITS), .MEMORY(MEMORY + 8'd1), .INIT(GATE_INIT), .ADDRESS_BITS(BITS)
                    ) entries (
                        .clk(clk), .bank(bank), .advance(1'b1), .address(index), .word(entry),
                        .load_write(load_write), .load_address(load_address), .load_data(load_data)
                    );
                end
                assign gates[g] = entry;
            end
            // c of the lane: written after stage 5, read in stage 2
            reg signed [C_WIDTH-1:0] c;
            (* ram_style = "distributed" *) reg [C_WIDTH-1:0] held[0:(1<<NUMBER_BITS)-1];
            wire here = (state_address[11:0] & (CHUNK - 1)) == k;
            wire [C_WIDTH-1:0] held_data = valid[5] ? c : here ? state_write_data[C_WIDTH-1:0] : {C_WIDTH{1'b0}};
            // a chunk that becomes live by one state write is 0 elsewhere
            wire held_write = valid[5] || (state_writes_c && (here || !live[state_number]));
            wire [NUMBER_BITS-1:0] held_number = valid[5] ? numbers[5] : state_number;
            always @(posedge clk) if (held_write) held[held_number] <= held_data;
            assign cells[k*C_WIDTH+:C_WIDTH] = cell_live ? held[cell_number] : {C_WIDTH{1'b0}};
            // stage 2 → 4: products; o waits
            wire signed [T_WIDTH+C_WIDTH-1:0] kept;
            wire signed [2*T_WIDTH-1:0] added;
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(C_WIDTH)) keep (
                .clk(clk), .a(gates[1]), .b(step_first ? {C_WIDTH{1'b0}} : cells[k*C_WIDTH+:C_WIDTH]), .product(kept)
            );
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(T_WIDTH)) add (.clk(clk), .a(gates[0]), .b(gates[2]), .product(added));
            reg [T_WIDTH-1:0] open_3, open_4, open_5, open_6;
            always @(posedge clk) begin
                open_3 <= gates[3];
                open_4 <= open_3;
                open_5 <= open_4;
                open_6 <= open_5;
            end
            // stage 4 → 5: c
            wire signed [C_WIDTH-1:0] cell_next;
            wire [CELL_INDEX_BITS-1:0] index_next;  // a cycle earlier than it is wanted
            next_cell #(
                .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION), .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .ROUND(C_ROUND),
                .SATURATE(C_SATURATE), .INDEX_BITS(CELL_INDEX_BITS), .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
            ) to_cell (.kept(kept), .added(added), .value(cell_next), .index(index_next));
            always @(posedge clk) c <= cell_next;
            // stage 5 → 7: tanh(c)
            wire [CELL_INDEX_BITS-1:0] cell_index;
            table_index #(
                .WIDTH(C_WIDTH), .FRACTION(C_FRACTION), .INDEX_BITS(CELL_INDEX_BITS), .RANGE_BITS(3),
                .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
            ) to_index (.value(c), .index(cell_index));
            wire [T_WIDTH-1:0] entry;
            bank_memory #(
                .WIDTH(T_WIDTH), .DEPTH(1 << CELL_INDEX_BITS), .MEMORY(MEMORY + 8'd2), .INIT(CELL_INIT),
                .ADDRESS_BITS(CELL_INDEX_BITS)
            ) entries (
                .clk(clk), .bank(bank), .advance(1'b1), .address(cell_index), .word(entry),
                .load_write(load_write), .load_address(load_address), .load_data(load_data)
            );
            // stage 6 → 8: o·tanh(c), h
            wire signed [2*T_WIDTH-1:0] product;
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(T_WIDTH)) open (.clk(clk), .a(open_6), .b(entry), .product(product));
            convert #(
                .FROM_WIDTH(2 * T_WIDTH), .FROM_FRACTION(2 * T_FRACTION), .TO_WIDTH(H_WIDTH), .TO_FRACTION(H_FRACTION),
                .ROUND(H_ROUND), .SATURATE(H_SATURATE)
            ) to_hidden (.value(product), .converted(new_hidden[k*H_WIDTH+:H_WIDTH]));
            reg [H_WIDTH-1:0] value;
            always @(posedge clk)
                value <= k >= LAST_UNITS && ends[8] ? {H_WIDTH{1'b0}} : new_hidden[k*H_WIDTH+:H_WIDTH];
            assign h[k*H_WIDTH+:H_WIDTH] = value;
        end
    endgenerate
endmodule

`resetall
