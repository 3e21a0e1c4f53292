// From gate sums to c and h, CHUNK units a cycle: look-ups, f·c + i·g, tanh(c), o·tanh(c). Holds h and c of the layer.
//
// A chunk is taken when its sums are ready (`chunk_ready`), the first one only when `h_ready` is high; STAGES + 1 cycles later its
// h leaves with `h_valid` and stands in `h_state`. Rows of `sums`: 4 * unit + gate, gates i, f, g, o. The first chunk of a step
// comes only after the last h of the step before. c lies in distributed RAM: a chunk that is not `live` reads as 0, so that one
// cycle clears all.
// Memories: MEMORY gate table, + 1 cell table, read by every lane.
//
// A table waits for the clock (LATE 1) if it is so large that it lies in block RAM (`bank_table.sv`).
// Stages: 0 index (LATE: + 1) entries, products, c and index (LATE: + 1) tanh(c), product, h.
// Preconditions: CHUNK a power of two.
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
    input  wire [4*CHUNK*A_WIDTH-1:0] sums,
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
    localparam int LATE = GATE_INDEX_BITS > 6 || CELL_INDEX_BITS > 6 ? 1 : 0;
    localparam int ENTRY = LATE;          // stage in which the entries of the gates are there
    localparam int CELL = ENTRY + 2;      // in which c is made
    localparam int SQUASHED = CELL + LATE;  // in which tanh(c) is there
    localparam int STAGES = SQUASHED + 2;   // in which h is made

    initial if ((CHUNK & (CHUNK - 1)) != 0) $fatal(1, "folded_tail: CHUNK is a power of two");

    // ---- stage 0: take a chunk
    reg [NUMBER_BITS-1:0] number;
    reg started;  // part of a step is taken
    wire last = number == CHUNKS - 1;
    wire go = chunk_ready && (started || h_ready);
    assign chunk_taken = go;

    reg [STAGES:1] valid_later, ends_later;
    reg [NUMBER_BITS-1:0] numbers_later[1:STAGES];
    wire [STAGES:0] valid = {valid_later, go};
    wire [STAGES:0] ends = {ends_later, go && last};
    wire [NUMBER_BITS-1:0] entry_number = ENTRY == 0 ? number : numbers_later[1];
    wire [NUMBER_BITS-1:0] cell_written = numbers_later[CELL+1];
    wire [NUMBER_BITS-1:0] h_written = numbers_later[STAGES];
    reg step_first, step_answer;
    wire zero = ENTRY == 0 && !started ? first : step_first;
    integer s;
    always @(posedge clk) begin
        valid_later <= valid[STAGES-1:0];
        ends_later <= ends[STAGES-1:0];
        numbers_later[1] <= number;
        for (s = 2; s <= STAGES; s = s + 1) numbers_later[s] <= numbers_later[s-1];
        if (go) begin
            number <= last ? 0 : number + 1'b1;
            started <= !last;
            if (!started) begin
                step_first <= first;
                step_answer <= answer;
            end
        end
        if (rst) begin
            valid_later <= 0;
            ends_later <= 0;
            number <= 0;
            started <= 0;
        end
    end
    assign h_complete = ends[STAGES];

    always @(posedge clk) begin
        h_valid <= valid[STAGES] && !rst;
        h_last <= ends[STAGES];
        h_first <= step_first;
        h_answer <= step_answer;
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
    // without LATE a chunk that stands there before it is taken may keep the host's reading of c back: none reads then
    wire [NUMBER_BITS-1:0] cell_number = (ENTRY == 0 ? chunk_ready : valid[1]) ? entry_number : read_number;
    wire cell_live = live[cell_number];
    wire [CHUNK*C_WIDTH-1:0] cells;  // c of chunk `cell_number`
    genvar k, g, n;
    generate
        for (n = 0; n < CHUNKS; n = n + 1) begin : g_hidden
            for (k = 0; k < CHUNK; k = k + 1) begin : g_unit
                localparam int UNIT = n * CHUNK + k;
                always @(posedge clk) begin
                    if (valid[STAGES] && h_written == n) hidden[UNIT*H_WIDTH+:H_WIDTH] <= new_hidden[k*H_WIDTH+:H_WIDTH];
                    if (state_write && !state_address[12] && state_address[11:0] == UNIT)
                        hidden[UNIT*H_WIDTH+:H_WIDTH] <= state_write_data[H_WIDTH-1:0];
                    if (clear || rst) hidden[UNIT*H_WIDTH+:H_WIDTH] <= 0;
                end
            end
        end
    endgenerate
    always @(posedge clk) begin
        if (valid[CELL+1]) live[cell_written] <= 1;
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
            wire [T_WIDTH-1:0] gates[0:3];  // entries
            for (g = 0; g < 4; g = g + 1) begin : g_gate
                localparam int BITS = g == 2 ? CELL_INDEX_BITS : GATE_INDEX_BITS;
                wire [BITS-1:0] index;
                table_index #(
                    .WIDTH(A_WIDTH), .FRACTION(A_FRACTION), .INDEX_BITS(BITS), .RANGE_BITS(g == 2 ? 3 : 4),
                    .TOWARDS_ZERO(g == 2 ? CELL_TOWARDS_ZERO : GATE_TOWARDS_ZERO)
                ) to_index (.value(sums[(4*k+g)*A_WIDTH+:A_WIDTH]), .index(index));
                wire [T_WIDTH-1:0] entry;
                if (g == 2) begin : g_tanh
                    bank_table #(
                        .WIDTH(T_WIDTH), .INDEX_BITS(BITS), .LATE(LATE), .MEMORY(MEMORY + 8'd1), .INIT(CELL_INIT)
                    ) entries (
                        .clk(clk), .bank(bank), .index(index), .entry(entry),
                        .load_write(load_write), .load_address(load_address), .load_data(load_data)
                    );
                end else begin : g_sigmoid
                    bank_table #(
                        .WIDTH(T_WIDTH), .INDEX_BITS(BITS), .LATE(LATE), .MEMORY(MEMORY), .INIT(GATE_INIT)
                    ) entries (
                        .clk(clk), .bank(bank), .index(index), .entry(entry),
                        .load_write(load_write), .load_address(load_address), .load_data(load_data)
                    );
                end
                assign gates[g] = entry;
            end
            // c of the lane: written in the stage after CELL, read in ENTRY
            reg signed [C_WIDTH-1:0] c;
            (* ram_style = "distributed" *) reg [C_WIDTH-1:0] held[0:(1<<NUMBER_BITS)-1];
            wire here = (state_address[11:0] & (CHUNK - 1)) == k;
            wire [C_WIDTH-1:0] held_data = valid[CELL+1] ? c : here ? state_write_data[C_WIDTH-1:0] : {C_WIDTH{1'b0}};
            // a chunk that becomes live by one state write is 0 elsewhere
            wire held_write = valid[CELL+1] || (state_writes_c && (here || !live[state_number]));
            wire [NUMBER_BITS-1:0] held_number = valid[CELL+1] ? cell_written : state_number;
            always @(posedge clk) if (held_write) held[held_number] <= held_data;
            assign cells[k*C_WIDTH+:C_WIDTH] = cell_live ? held[cell_number] : {C_WIDTH{1'b0}};
            // products; o waits
            wire signed [T_WIDTH+C_WIDTH-1:0] kept;
            wire signed [2*T_WIDTH-1:0] added;
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(C_WIDTH)) keep (
                .clk(clk), .a(gates[1]), .b(zero ? {C_WIDTH{1'b0}} : cells[k*C_WIDTH+:C_WIDTH]), .product(kept)
            );
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(T_WIDTH)) add (.clk(clk), .a(gates[0]), .b(gates[2]), .product(added));
            reg [T_WIDTH-1:0] open[ENTRY+1:SQUASHED];
            integer o;
            always @(posedge clk) begin
                open[ENTRY+1] <= gates[3];
                for (o = ENTRY + 2; o <= SQUASHED; o = o + 1) open[o] <= open[o-1];
            end
            // c, tanh(c)
            wire signed [C_WIDTH-1:0] cell_next;
            wire [CELL_INDEX_BITS-1:0] cell_index;
            next_cell #(
                .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION), .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .ROUND(C_ROUND),
                .SATURATE(C_SATURATE), .INDEX_BITS(CELL_INDEX_BITS), .TOWARDS_ZERO(CELL_TOWARDS_ZERO)
            ) to_cell (.kept(kept), .added(added), .value(cell_next), .index(cell_index));
            always @(posedge clk) c <= cell_next;
            wire [T_WIDTH-1:0] squashed;
            bank_table #(
                .WIDTH(T_WIDTH), .INDEX_BITS(CELL_INDEX_BITS), .LATE(LATE), .MEMORY(MEMORY + 8'd1), .INIT(CELL_INIT)
            ) entries (
                .clk(clk), .bank(bank), .index(cell_index), .entry(squashed),
                .load_write(load_write), .load_address(load_address), .load_data(load_data)
            );
            // o·tanh(c), h
            wire signed [2*T_WIDTH-1:0] product;
            multiply #(.A_WIDTH(T_WIDTH), .B_WIDTH(T_WIDTH)) squash (
                .clk(clk), .a(open[SQUASHED]), .b(squashed), .product(product)
            );
            convert #(
                .FROM_WIDTH(2 * T_WIDTH), .FROM_FRACTION(2 * T_FRACTION), .TO_WIDTH(H_WIDTH), .TO_FRACTION(H_FRACTION),
                .ROUND(H_ROUND), .SATURATE(H_SATURATE)
            ) to_hidden (.value(product), .converted(new_hidden[k*H_WIDTH+:H_WIDTH]));
            reg [H_WIDTH-1:0] value;
            always @(posedge clk)
                value <= k >= LAST_UNITS && ends[STAGES] ? {H_WIDTH{1'b0}} : new_hidden[k*H_WIDTH+:H_WIDTH];
            assign h[k*H_WIDTH+:H_WIDTH] = value;
        end
    endgenerate
endmodule

`resetall
