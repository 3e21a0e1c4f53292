// One LSTM layer with weights in block RAM and a chosen number of multipliers.
//
// The array has LANES unit lanes of four multipliers (gates i, f, g, o). Each cycle one input is broadcast to LANES units: a
// pass takes as many cycles as there are inputs. The UNITS mod LANES units that are left share the lanes, SPREAD inputs a
// cycle; their partial sums are added by trees. x·W and R·h go through the same array in either order: R·h as soon as h is
// known, x·W as soon as x is. Whichever comes second completes the sums, which `folded_tail` turns into h, CHUNK units a
// cycle, while the array goes on with the next x·W.
//
// Ports: docs/rtl.md, "Ports of an LSTM block". Memories: MEMORY weights, + 1 biases, + 2 gate table, + 3 cell table.
// Preconditions: CHUNK a power of two; LANES a multiple of it, unless there is one pass; 1 <= LANES <= UNITS *
// max(INPUTS, UNITS); signed inputs.
//
// Timing: cycle 1 takes x (`x_ready`), R·h being held. A pass whose last word is issued in cycle e has its sums in e + 3 (the
// shared pass ceil(log4(SPREAD)) later); `h_valid` comes 9 cycles after the tail takes a chunk.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module lstm_folded #(
    parameter int INPUTS = 16,
    parameter int UNITS = 32,
    parameter int LANES = 28,
    parameter int CHUNK = 4,
    parameter int X_WIDTH = 8,
    parameter int H_WIDTH = 12,
    parameter int H_FRACTION = 11,
    parameter int H_ROUND = 1,
    parameter int H_SATURATE = 1,
    parameter int C_WIDTH = 16,
    parameter int C_FRACTION = 12,
    parameter int C_ROUND = 1,
    parameter int C_SATURATE = 1,
    parameter int W_WIDTH = 8,   // the wider of kernel and recurrent kernel
    parameter int B_WIDTH = 12,
    parameter int X_SHIFT = 0,   // from the binary point of x·W to the accumulator's
    parameter int R_SHIFT = 0,   // from that of R·h
    parameter int B_SHIFT = 0,   // from that of the bias
    parameter int A_WIDTH = 24,
    parameter int A_FRACTION = 18,
    parameter int T_WIDTH = 13,
    parameter int T_FRACTION = 12,
    parameter int GATE_INDEX_BITS = 10,
    parameter int CELL_INDEX_BITS = 10,
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
    output wire [ CHUNK*H_WIDTH-1:0] h,
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
    localparam int FULL = UNITS / LANES;  // passes of LANES units
    localparam int REST = UNITS % LANES;  // units of the shared pass
    localparam int SPREAD = REST > 0 ? LANES / REST : 1;  // its inputs a cycle
    localparam int PASSES = FULL + (REST > 0 ? 1 : 0);
    localparam int X_REST = (INPUTS + SPREAD - 1) / SPREAD;  // its cycles for x·W
    localparam int R_REST = (UNITS + SPREAD - 1) / SPREAD;
    localparam int X_STEPS = FULL * INPUTS + (REST > 0 ? X_REST : 0);
    localparam int R_STEPS = FULL * UNITS + (REST > 0 ? R_REST : 0);
    localparam int WORDS = X_STEPS + R_STEPS;
    localparam int WORD_BITS = $clog2(WORDS);
    localparam int PASS_BITS = PASSES > 1 ? $clog2(PASSES) : 1;
    localparam int MOST = INPUTS > UNITS ? INPUTS : UNITS;
    localparam int STEP_BITS = MOST > 1 ? $clog2(MOST) : 1;
    // the array's binary point: the coarser operand is widened, so that both products have one
    localparam int SUM_SHIFT = X_SHIFT < R_SHIFT ? X_SHIFT : R_SHIFT;
    localparam int X_UP = X_SHIFT - SUM_SHIFT;
    localparam int H_UP = R_SHIFT - SUM_SHIFT;
    localparam int V_WIDTH = X_WIDTH + X_UP > H_WIDTH + H_UP ? X_WIDTH + X_UP : H_WIDTH + H_UP;
    localparam int P_WIDTH = V_WIDTH + W_WIDTH;
    localparam int S_WIDTH = A_WIDTH - SUM_SHIFT;
    localparam int SPREAD_BITS = SPREAD > 1 ? $clog2(SPREAD) : 0;
    localparam int D_WIDTH = P_WIDTH + SPREAD_BITS;  // of the sum of a shared cycle's products
    localparam int REDUCE = SPREAD > 64 ? 4 : SPREAD > 16 ? 3 : SPREAD > 4 ? 2 : SPREAD > 1 ? 1 : 0;
    localparam int CHUNKS = (UNITS + CHUNK - 1) / CHUNK;
    localparam int PER_PASS = (LANES + CHUNK - 1) / CHUNK;  // chunks of a full pass
    localparam int REST_CHUNKS = (REST + CHUNK - 1) / CHUNK;
    localparam int LEFT_BITS = $clog2(PER_PASS + 1) > 2 ? $clog2(PER_PASS + 1) : 2;
    localparam int REST_BITS = $clog2(REST_CHUNKS + 2);
    localparam int CHUNK_ROWS = 4 * CHUNK * S_WIDTH;

    initial begin
        if ((CHUNK & (CHUNK - 1)) != 0) $fatal(1, "lstm_folded: CHUNK is a power of two");
        if (PASSES > 1 && FULL > 0 && LANES % CHUNK != 0) $fatal(1, "lstm_folded: LANES is a multiple of CHUNK");
        if (LANES < 1 || LANES > UNITS * MOST) $fatal(1, "lstm_folded: 1 <= LANES <= UNITS * max(INPUTS, UNITS)");
        if (SPREAD > 256) $fatal(1, "lstm_folded: at most 256 inputs a cycle in the shared pass");
    end

    // ---- what the accumulators hold
    reg bank;
    reg holds_x, holds_r;  // x·W (b + R·h) of the coming step is in the accumulators, or on its way there
    reg h_known;  // h is that of the last step begun
    reg held_first, held_answer;  // of the vector whose x·W is held
    reg tail_first, tail_answer;  // of the vector whose sums are completed
    wire h_complete;  // the tail writes the last h of its step
    wire [UNITS*H_WIDTH-1:0] h_state;

    // ---- issue: a word of weights a cycle; `position` is the word at the memory's output
    reg fetched, active, is_x, final_op, overwrite;
    reg [WORD_BITS-1:0] position;
    reg [PASS_BITS-1:0] pass;
    reg [STEP_BITS-1:0] step;

    wire refresh = clear || swap || state_write;
    wire at_x = fetched && position == 0;
    wire at_r = fetched && position == X_STEPS;
    wire x_completes = holds_r || x_first;
    wire want_x = x_valid && !holds_x && (h_known || !x_completes) && !refresh;
    wire want_r = h_known && !holds_r && !refresh;
    wire begin_x = !active && at_x && want_x;
    wire begin_r = !active && at_r && want_r;
    wire begins = begin_x || begin_r;
    wire begin_final = begin_x ? x_completes : holds_x;
    wire begin_overwrites = begin_x ? (!holds_r || x_first) : !holds_x;
    assign x_ready = begin_x;

    // a full pass of the final sums waits with its last word until the tail can take it over
    reg full_flying;  // a full pass was issued whose sums are on their way
    reg [LEFT_BITS-1:0] full_left;
    wire taking_full, tail_begun;
    wire stall;
    wire issue = begins || (active && !stall);
    wire issue_x = active ? is_x : begin_x;
    wire [PASS_BITS-1:0] issue_pass = active ? pass : 0;
    wire [STEP_BITS-1:0] issue_step = active ? step : 0;
    wire issue_final = active ? final_op : begin_final;
    wire issue_overwrites = active ? overwrite : begin_overwrites;
    wire issue_rest = REST > 0 && issue_pass == FULL;
    wire [STEP_BITS-1:0] last_step = issue_x ? (issue_rest ? X_REST - 1 : INPUTS - 1)
                                             : (issue_rest ? R_REST - 1 : UNITS - 1);
    wire pass_ends = issue_step == last_step;
    wire issue_ends = issue && pass_ends && issue_pass == PASSES - 1;
    assign stall = FULL > 1 && active && final_op && pass_ends && !issue_rest
                   && (full_flying || (full_left != 0 && !(full_left <= 3 && tail_begun)));

    // what will be held after this cycle decides which first word is fetched: x·W, unless only R·h can come
    wire next_holds_x = begins ? (begin_x ? !begin_final : (holds_x && !begin_final)) : holds_x;
    wire next_holds_r = (begins ? (begin_r ? !begin_final : (holds_r && !begin_final)) : holds_r) && !refresh;
    wire fetch_r = !next_holds_r && (next_holds_x || (h_known && !(begins && begin_final) && !(x_valid && !begin_x)));
    wire [WORD_BITS-1:0] address =
        refresh ? X_STEPS : (issue && !issue_ends) ? position + 1'b1 : stall ? position : fetch_r ? X_STEPS : 0;

    always @(posedge clk) begin
        position <= address;
        fetched <= !swap;
        if (begins) begin
            is_x <= begin_x;
            final_op <= begin_final;
            overwrite <= begin_overwrites;
        end
        if (begin_x) begin
            held_first <= x_first;
            held_answer <= x_answer;
        end
        if (begins && begin_final) begin
            tail_first <= begin_x ? x_first : held_first;
            tail_answer <= begin_x ? x_answer : held_answer;
        end
        if (issue) begin
            active <= !issue_ends;
            step <= pass_ends ? 0 : issue_step + 1'b1;
            pass <= pass_ends ? issue_pass + 1'b1 : issue_pass;
        end
        holds_x <= next_holds_x;
        holds_r <= next_holds_r;
        if (begins && begin_final) h_known <= 0;
        if (h_complete) h_known <= 1;
        if (refresh) active <= 0;  // drained: only R·h can be under way, and it begins anew
        if (swap) bank <= !bank;
        if (rst) begin
            bank <= 0;
            fetched <= 0;
            active <= 0;
            position <= 0;
            holds_x <= 0;
            holds_r <= 0;
            h_known <= 1;
        end
    end
    assign drained = h_known && !holds_x;
    assign idle = drained && holds_r && !active && at_x;

    // ---- operands: x and h rotate past the lanes
    reg [INPUTS*X_WIDTH-1:0] x_feed;
    reg [ UNITS*H_WIDTH-1:0] h_feed;
    wire [INPUTS*X_WIDTH-1:0] x_now = begin_x ? x : x_feed;
    wire [ UNITS*H_WIDTH-1:0] h_now = begin_r ? h_state : h_feed;
    wire [INPUTS*X_WIDTH-1:0] x_by_one, x_by_many;
    wire [ UNITS*H_WIDTH-1:0] h_by_one, h_by_many;
    rotate #(.COUNT(INPUTS), .WIDTH(X_WIDTH), .BY(1)) x_one (.values(x_now), .rotated(x_by_one));
    rotate #(.COUNT(INPUTS), .WIDTH(X_WIDTH), .BY(SPREAD)) x_many (.values(x_now), .rotated(x_by_many));
    rotate #(.COUNT(UNITS), .WIDTH(H_WIDTH), .BY(1)) h_one (.values(h_now), .rotated(h_by_one));
    rotate #(.COUNT(UNITS), .WIDTH(H_WIDTH), .BY(SPREAD)) h_many (.values(h_now), .rotated(h_by_many));
    always @(posedge clk) begin
        if (issue && issue_x) x_feed <= issue_rest ? x_by_many : x_by_one;
        if (issue && !issue_x) h_feed <= issue_rest ? h_by_many : h_by_one;
    end

    wire [4*LANES*W_WIDTH-1:0] word;
    bank_memory #(
        .WIDTH(4 * LANES * W_WIDTH), .DEPTH(WORDS), .MEMORY(MEMORY), .INIT(WEIGHT_INIT), .ADDRESS_BITS(WORD_BITS)
    ) weights (
        .clk(clk), .bank(bank), .advance(1'b1), .address(address), .word(word),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );

    // ---- multiply (m_*), then accumulate (a_*); products of the shared pass go through trees first (r_*)
    reg m_valid, m_first, m_done, m_rest, a_valid, a_first, a_done;
    reg [PASS_BITS-1:0] m_pass, a_pass;
    reg [REDUCE:0] r_valid, r_first, r_done;
    always @(posedge clk) begin
        m_valid <= issue && !rst;
        m_rest <= issue_rest;
        m_pass <= issue_pass;
        m_first <= issue_overwrites && issue_step == 0;
        m_done <= issue && issue_final && pass_ends;
        a_valid <= m_valid && !m_rest && !rst;
        a_pass <= m_pass;
        a_first <= m_first;
        a_done <= m_done && !m_rest && !rst;
        r_valid <= {r_valid, m_valid && m_rest};
        r_first <= {r_first, m_first};
        r_done <= {r_done, m_done && m_rest};
        if (rst) begin
            r_valid <= 0;
            r_done <= 0;
        end
    end
    wire rest_valid = r_valid[REDUCE];
    wire rest_first = r_first[REDUCE];
    wire rest_done = r_done[REDUCE];

    wire [4*LANES*P_WIDTH-1:0] products;  // row 4 * lane + gate
    wire [PER_PASS*CHUNK_ROWS-1:0] full_sums;  // as they are written, row 4 * lane + gate
    wire [(REST_CHUNKS+1)*CHUNK_ROWS-1:0] rest_sums;
    genvar lane, gate, part;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : g_lane
            // which of the inputs of a shared cycle this lane takes
            localparam int TURN = REST > 0 ? (lane / (REST > 0 ? REST : 1)) : 0;
            wire signed [V_WIDTH-1:0] x_single = $signed(x_now[0+:X_WIDTH]);
            wire signed [V_WIDTH-1:0] h_single = $signed(h_now[0+:H_WIDTH]);
            wire signed [V_WIDTH-1:0] x_shared, h_shared;
            if (TURN < INPUTS) assign x_shared = $signed(x_now[TURN*X_WIDTH+:X_WIDTH]);
            else assign x_shared = 0;
            if (TURN < UNITS) assign h_shared = $signed(h_now[TURN*H_WIDTH+:H_WIDTH]);
            else assign h_shared = 0;
            reg signed [V_WIDTH-1:0] operand;
            always @(posedge clk)
                operand <= issue_x ? (issue_rest ? x_shared : x_single) <<< X_UP
                                   : (issue_rest ? h_shared : h_single) <<< H_UP;
            for (gate = 0; gate < 4; gate = gate + 1) begin : g_gate
                localparam int ROW = 4 * lane + gate;
                reg signed [W_WIDTH-1:0] weight;
                reg signed [P_WIDTH-1:0] product;
                always @(posedge clk) begin
                    weight <= word[ROW*W_WIDTH+:W_WIDTH];
                    product <= operand * weight;
                end
                assign products[ROW*P_WIDTH+:P_WIDTH] = product;
                if (FULL > 0) begin : g_full
                    wire signed [S_WIDTH-1:0] earlier_sum;
                    wire signed [S_WIDTH-1:0] base = a_first ? 0 : earlier_sum;
                    wire signed [S_WIDTH-1:0] next = base + product;
                    assign full_sums[ROW*S_WIDTH+:S_WIDTH] = next;
                    if (FULL == 1) begin : g_one
                        reg signed [S_WIDTH-1:0] held;
                        assign earlier_sum = held;
                        always @(posedge clk) if (a_valid) held <= next;
                    end else begin : g_many
                        (* ram_style = "distributed" *) reg signed [S_WIDTH-1:0] held[0:FULL-1];
                        assign earlier_sum = held[a_pass];
                        always @(posedge clk) if (a_valid) held[a_pass] <= next;
                    end
                end
            end
        end
        if (FULL == 0 || LANES % CHUNK != 0) begin : g_no_lanes
            localparam int USED = FULL > 0 ? 4 * LANES * S_WIDTH : 0;
            assign full_sums[PER_PASS*CHUNK_ROWS-1:USED] = 0;
        end
        for (lane = 0; lane < REST; lane = lane + 1) begin : g_rest
            for (gate = 0; gate < 4; gate = gate + 1) begin : g_gate
                wire [SPREAD*D_WIDTH-1:0] terms;
                wire signed [D_WIDTH-1:0] term;
                for (part = 0; part < SPREAD; part = part + 1) begin : g_term
                    localparam int ROW = 4 * (part * REST + lane) + gate;
                    wire signed [P_WIDTH-1:0] product = products[ROW*P_WIDTH+:P_WIDTH];
                    wire signed [D_WIDTH-1:0] wide = product;
                    assign terms[part*D_WIDTH+:D_WIDTH] = wide;
                end
                sum_tree #(.TERMS(SPREAD), .WIDTH(D_WIDTH)) tree (.clk(clk), .terms(terms), .sum(term));
                reg signed [S_WIDTH-1:0] held;
                wire signed [S_WIDTH-1:0] base = rest_first ? 0 : held;
                wire signed [S_WIDTH-1:0] next = base + term;
                always @(posedge clk) if (rest_valid) held <= next;
                assign rest_sums[(4*lane+gate)*S_WIDTH+:S_WIDTH] = next;
            end
        end
    endgenerate
    assign rest_sums[(REST_CHUNKS+1)*CHUNK_ROWS-1:4*REST*S_WIDTH] = 0;

    // ---- finished sums, shifted out to the tail chunk by chunk: full passes, then the shared one
    reg [PER_PASS*CHUNK_ROWS-1:0] full_chunks;
    reg [(REST_CHUNKS+1)*CHUNK_ROWS-1:0] rest_chunks;
    reg [REST_BITS-1:0] rest_left;
    wire from_rest, chunk_taken;
    assign taking_full = chunk_taken && !from_rest;
    always @(posedge clk) begin
        if (a_done) begin
            full_chunks <= full_sums;
            full_left <= PER_PASS;
        end else if (taking_full) begin
            full_chunks <= full_chunks >> CHUNK_ROWS;
            full_left <= full_left - 1'b1;
        end
        if (issue && issue_final && pass_ends && !issue_rest) full_flying <= 1;
        else if (a_done) full_flying <= 0;
        if (rest_done) begin
            rest_chunks <= rest_sums;
            rest_left <= REST_CHUNKS;
        end else if (chunk_taken && from_rest) begin
            rest_chunks <= rest_chunks >> CHUNK_ROWS;
            rest_left <= rest_left - 1'b1;
        end
        if (rst) begin
            full_left <= 0;
            full_flying <= 0;
            rest_left <= 0;
        end
    end
    wire [CHUNK_ROWS-1:0] chunk_sums = from_rest ? rest_chunks[CHUNK_ROWS-1:0] : full_chunks[CHUNK_ROWS-1:0];
    wire chunk_ready = from_rest ? rest_left != 0 : full_left != 0;

    folded_tail #(
        .UNITS(UNITS), .CHUNK(CHUNK), .REST_FROM(FULL * PER_PASS), .S_WIDTH(S_WIDTH), .SUM_SHIFT(SUM_SHIFT),
        .B_WIDTH(B_WIDTH), .B_SHIFT(B_SHIFT), .A_WIDTH(A_WIDTH), .A_FRACTION(A_FRACTION),
        .H_WIDTH(H_WIDTH), .H_FRACTION(H_FRACTION), .H_ROUND(H_ROUND), .H_SATURATE(H_SATURATE),
        .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .C_ROUND(C_ROUND), .C_SATURATE(C_SATURATE),
        .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION),
        .GATE_INDEX_BITS(GATE_INDEX_BITS), .CELL_INDEX_BITS(CELL_INDEX_BITS),
        .GATE_TOWARDS_ZERO(GATE_TOWARDS_ZERO), .CELL_TOWARDS_ZERO(CELL_TOWARDS_ZERO),
        
        .MEMORY(MEMORY + 8'd1), .BIAS_INIT(BIAS_INIT), .GATE_INIT(GATE_INIT), .CELL_INIT(CELL_INIT)
    ) tail (
        .clk(clk), .rst(rst), .bank(bank), .swap(swap),
        .sums(chunk_sums), .chunk_ready(chunk_ready), .chunk_taken(chunk_taken), .from_rest(from_rest),
        .begun(tail_begun), .first(tail_first), .answer(tail_answer),
        .h_valid(h_valid), .h_last(h_last), .h(h), .h_first(h_first), .h_answer(h_answer), .h_ready(h_ready),
        .h_complete(h_complete), .h_state(h_state), .clear(clear),
        .state_write(state_write), .state_address(state_address),
        .state_write_data(state_write_data), .state_read_data(state_read_data),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );
endmodule

`resetall
