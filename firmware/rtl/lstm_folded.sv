// One LSTM layer with weights in block RAM and a chosen number of multipliers.
//
// The array has LANES lanes of four multipliers (gates i, f, g, o): SPREAD = LANES / CHUNK of them for each of CHUNK units. A pass
// computes the sums of CHUNK units, SPREAD inputs a cycle, and ends in a chunk of the tail, so that the tail works while the
// array goes on. x·W and R·h go through the same array in either order: R·h as soon as h is known, x·W as soon as x is. What comes
// first is held; what comes second completes the sums, which `folded_tail` turns into h. Inputs that fill no word of their own, of x
// and of h, share a word that ends the pass of whichever comes second.
//
// Ports: docs/rtl.md, "Ports of an LSTM block". Memories: MEMORY weights, + 1 biases, + 2 gate table, + 3 cell table.
// Preconditions: CHUNK a power of two; LANES a multiple of it; SPREAD <= 256; signed inputs.
//
// The sums of what comes first begin with the bias.
//
// Timing: cycle 1 takes x (`x_ready`), R·h being held. A pass whose last word is issued in cycle e is in the tail in
// e + 4 + REDUCE; `h_valid` comes 7 cycles later, 5 with tables of at most 64 entries.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module lstm_folded #(
    parameter int INPUTS = 16,
    parameter int UNITS = 32,
    parameter int LANES = 28,
    parameter int CHUNK = 4,
    parameter int BLOCKS = 256,  // inputs a cycle whose products take multiplier blocks; those of the others are in logic
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
    localparam int SPREAD = LANES / CHUNK;  // inputs a cycle
    localparam int PASSES = (UNITS + CHUNK - 1) / CHUNK;
    // inputs that fill no whole word; both kinds share one if they fit
    localparam int X_REST = INPUTS % SPREAD;
    localparam int R_REST = UNITS % SPREAD;
    localparam int MIXED = INPUTS >= SPREAD && UNITS >= SPREAD && X_REST > 0 && R_REST > 0 && X_REST + R_REST <= SPREAD ? 1 : 0;
    localparam int X_OWN = MIXED != 0 ? INPUTS / SPREAD : (INPUTS + SPREAD - 1) / SPREAD;  // words of a pass
    localparam int R_OWN = MIXED != 0 ? UNITS / SPREAD : (UNITS + SPREAD - 1) / SPREAD;
    localparam int X_WORDS = PASSES * (X_OWN + MIXED);
    localparam int WORDS = X_WORDS + PASSES * (R_OWN + MIXED);
    localparam int WORD_BITS = $clog2(WORDS);
    localparam int PASS_BITS = PASSES > 1 ? $clog2(PASSES) : 1;
    localparam int MOST = X_OWN > R_OWN ? X_OWN + 1 : R_OWN + 1;
    localparam int STEP_BITS = $clog2(MOST + 1);
    // the array's binary point: the coarser operand is widened, so that both products have one; sums have the accumulator's
    localparam int SUM_SHIFT = X_SHIFT < R_SHIFT ? X_SHIFT : R_SHIFT;
    localparam int X_UP = X_SHIFT - SUM_SHIFT;
    localparam int H_UP = R_SHIFT - SUM_SHIFT;
    localparam int V_WIDTH = X_WIDTH + X_UP > H_WIDTH + H_UP ? X_WIDTH + X_UP : H_WIDTH + H_UP;
    localparam int P_WIDTH = V_WIDTH + W_WIDTH;
    localparam int D_WIDTH = P_WIDTH + (SPREAD > 1 ? $clog2(SPREAD) : 0);  // of the sum of a cycle's products
    // registers between the products and their sum: so many that at most four numbers are left
    localparam int REDUCE = SPREAD > 64 ? 3 : SPREAD > 16 ? 2 : SPREAD > 4 ? 1 : 0;
    localparam int ROWS = 4 * CHUNK;
    localparam int QUEUE = 16;  // finished chunks that may wait for the tail

    initial begin
        if ((CHUNK & (CHUNK - 1)) != 0) $fatal(1, "lstm_folded: CHUNK is a power of two");
        if (LANES < CHUNK || LANES % CHUNK != 0) $fatal(1, "lstm_folded: LANES is a multiple of CHUNK");
        if (SPREAD > 256) $fatal(1, "lstm_folded: at most 256 inputs a cycle");
    end

    // ---- what is held
    reg bank;
    reg holds_x, holds_r;  // x·W (R·h) of the coming step is held, or on its way there
    reg h_known;  // h is that of the last step begun
    reg held_first, held_answer;  // of the vector whose x·W is held
    reg tail_first, tail_answer;  // of the vector whose sums are completed
    wire h_complete;  // the tail writes the last h of its step
    wire [UNITS*H_WIDTH-1:0] h_state;

    // ---- issue: a word of weights a cycle, the one at `position`
    reg active, is_x, final_op, adds;
    reg at_x, at_r;  // position is the first word of x·W (R·h)
    reg [WORD_BITS-1:0] position;
    reg [PASS_BITS-1:0] pass;
    reg [STEP_BITS-1:0] step;
    reg [4:0] outstanding;  // chunks issued that the tail has not taken
    wire chunk_taken;

    wire refresh = clear || swap || state_write;
    wire x_completes = holds_r || x_first;
    // at_x and at_r are low while an operation is under way; x_ready waits for nothing that comes with the vector
    assign x_ready = at_x && !holds_x && (h_known || !x_completes);
    wire begin_x = x_ready && x_valid;
    wire begin_r = at_r && h_known && !holds_r && !refresh;
    wire begins = begin_x || begin_r;
    wire begin_final = begin_x ? x_completes : holds_x;
    wire begin_adds = begin_x ? holds_r && !x_first : holds_x;

    wire issue_x = active ? is_x : at_x;
    wire issue_final = active ? final_op : begin_final;
    wire issue_adds = active ? adds : begin_adds;
    wire [STEP_BITS-1:0] own = issue_x ? X_OWN : R_OWN;
    wire pass_ends = step + 1'b1 == own + (MIXED != 0 && issue_final);
    wire last_pass = pass == PASSES - 1;
    wire stall = PASSES > QUEUE && active && final_op && pass_ends && outstanding == QUEUE;
    wire issue = begins || (active && !stall);
    wire issue_ends = issue && pass_ends && last_pass;
    wire chunk_issued = issue && issue_final && pass_ends;

    // what will be held after this cycle decides which first word comes next: x·W, unless only R·h can come
    wire next_holds_x = begins ? (begin_x || holds_x) && !begin_final : holds_x;
    wire next_holds_r = (begins ? (begin_r || holds_r) && !begin_final : holds_r) && !refresh;
    wire fetch_r = !next_holds_r && (next_holds_x || (h_known && !(begins && begin_final) && !(x_valid && !begin_x)));
    wire goes_on = (issue && !issue_ends) || stall;
    wire [STEP_BITS-1:0] next_step = refresh ? 0 : !issue ? step : pass_ends ? 0 : step + 1'b1;

    always @(posedge clk) begin
        at_x <= 0;
        at_r <= 0;
        if (refresh || (!goes_on && fetch_r)) begin
            position <= X_WORDS;
            at_r <= 1;
        end else if (!goes_on) begin
            position <= 0;
            at_x <= 1;
        end else if (!stall) position <= position + (MIXED != 0 && pass_ends && !issue_final ? 2 : 1);
        if (begins) begin
            is_x <= begin_x;
            final_op <= begin_final;
            adds <= begin_adds;
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
            if (pass_ends) pass <= last_pass ? 0 : pass + 1'b1;
        end
        step <= next_step;
        outstanding <= outstanding + chunk_issued - chunk_taken;
        holds_x <= next_holds_x;
        holds_r <= next_holds_r;
        if (begins && begin_final) h_known <= 0;
        if (h_complete) h_known <= 1;
        if (refresh) begin  // drained: only R·h can be under way, and it begins anew
            active <= 0;
            pass <= 0;
        end
        if (swap) bank <= !bank;
        if (rst) begin
            bank <= 0;
            active <= 0;
            at_x <= 1;
            at_r <= 0;
            position <= 0;
            step <= 0;
            pass <= 0;
            outstanding <= 0;
            holds_x <= 0;
            holds_r <= 0;
            h_known <= 1;
        end
    end
    assign drained = h_known && !holds_x;
    assign idle = drained && holds_r && !active && at_x;

    // ---- operands: one of x and one of h a lane and word; copies, since x goes away and h changes under way
    reg [INPUTS*X_WIDTH-1:0] x_held;
    reg [ UNITS*H_WIDTH-1:0] h_held;
    always @(posedge clk) begin
        if (at_x && !holds_x) x_held <= x;
        if (at_r) h_held <= h_state;
    end
    wire mixed = MIXED != 0 && step == own;
    // what chooses operands has a copy for every input of a cycle: no operation under way, issue_x, step
    wire [SPREAD*(2+STEP_BITS)-1:0] choices;
    copies #(.WIDTH(2 + STEP_BITS), .COPIES(SPREAD)) choose (
        .clk(clk),
        .d({rst || refresh || !goes_on, rst || (!refresh && (goes_on ? issue_x : !fetch_r)), rst ? {STEP_BITS{1'b0}} : next_step}),
        .q(choices)
    );

    wire [4*LANES*W_WIDTH-1:0] word;
    bank_memory #(
        .WIDTH(4 * LANES * W_WIDTH), .DEPTH(WORDS), .MEMORY(MEMORY), .INIT(WEIGHT_INIT), .ADDRESS_BITS(WORD_BITS)
    ) weights (
        .clk(clk), .bank(bank), .advance(1'b1), .address(position), .word(word),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );

    // ---- word and operands, factors, products, sums of a word (trees), sums of a pass
    localparam int DELAY = 3 + REDUCE;
    reg [DELAY-1:0] valid, first, last, on_top, completes;
    reg [PASS_BITS-1:0] passes[0:DELAY-1];
    integer s;
    always @(posedge clk) begin
        valid <= {valid, issue && !rst};
        first <= {first, step == 0};
        last <= {last, pass_ends};
        on_top <= {on_top, issue_adds};
        completes <= {completes, issue_final};
        passes[0] <= pass;
        for (s = 1; s < DELAY; s = s + 1) passes[s] <= passes[s-1];
        if (rst) valid <= 0;
    end
    wire sum_valid = valid[DELAY-1];
    wire sum_first = first[DELAY-1];
    wire sum_adds = on_top[DELAY-1];
    wire [PASS_BITS-1:0] sum_pass = passes[DELAY-1];
    wire sum_held = sum_valid && last[DELAY-1] && !completes[DELAY-1];
    wire sum_done = sum_valid && last[DELAY-1] && completes[DELAY-1];

    wire [SPREAD*ROWS/2*V_WIDTH-1:0] operands;
    wire [ROWS*A_WIDTH-1:0] sums;  // as they are completed, row 4 * unit + gate
    wire [ROWS*B_WIDTH-1:0] bias_word;  // of the pass whose sums come two cycles later
    bank_memory #(
        .WIDTH(ROWS * B_WIDTH), .DEPTH(PASSES), .MEMORY(MEMORY + 8'd1), .INIT(BIAS_INIT), .ADDRESS_BITS(PASS_BITS)
    ) biases (
        .clk(clk), .bank(bank), .advance(1'b1), .address(passes[DELAY-3]), .word(bias_word),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );
    genvar part, row, w;
    generate
        for (part = 0; part < SPREAD; part = part + 1) begin : g_operand
            wire rests, takes_x;
            wire [STEP_BITS-1:0] present;
            assign {rests, takes_x, present} = choices[part*(2+STEP_BITS)+:2+STEP_BITS];
            wire [INPUTS*X_WIDTH-1:0] x_now = rests ? x : x_held;
            wire [UNITS*H_WIDTH-1:0] h_now = rests ? h_state : h_held;
            wire [MOST*V_WIDTH-1:0] of_x, of_h;  // by word
            for (w = 0; w < MOST; w = w + 1) begin : g_word
                localparam int PLACE = w * SPREAD + part;
                // the shared word: the rest of x, then that of h
                localparam int H_PLACE = w < R_OWN ? PLACE : R_OWN * SPREAD + part - X_REST;
                wire signed [V_WIDTH-1:0] value_x, value_h;
                if (PLACE < INPUTS) assign value_x = $signed(x_now[PLACE*X_WIDTH+:X_WIDTH]);
                else assign value_x = 0;
                if (w < R_OWN ? PLACE < UNITS : MIXED != 0 && w == R_OWN && part >= X_REST && H_PLACE < UNITS)
                    assign value_h = $signed(h_now[H_PLACE*H_WIDTH+:H_WIDTH]);
                else assign value_h = 0;
                assign of_x[w*V_WIDTH+:V_WIDTH] = value_x <<< X_UP;
                assign of_h[w*V_WIDTH+:V_WIDTH] = value_h <<< H_UP;
            end
            reg [V_WIDTH-1:0] from_x, from_h;
            integer n;
            always @* begin
                from_x = of_x[0+:V_WIDTH];
                from_h = of_h[0+:V_WIDTH];
                for (n = 1; n < MOST; n = n + 1)
                    if (present == n) begin
                        from_x = of_x[n*V_WIDTH+:V_WIDTH];
                        from_h = of_h[n*V_WIDTH+:V_WIDTH];
                    end
            end
            wire [V_WIDTH-1:0] shared = part < X_REST ? of_x[X_OWN*V_WIDTH+:V_WIDTH]
                                      : issue_adds ? of_h[R_OWN*V_WIDTH+:V_WIDTH] : {V_WIDTH{1'b0}};
            // an operand goes to every row: a copy for every two of them
            copies #(.WIDTH(V_WIDTH), .COPIES(ROWS / 2)) operand (
                .clk(clk), .d(mixed ? shared : takes_x ? from_x : from_h), .q(operands[part*ROWS/2*V_WIDTH+:ROWS/2*V_WIDTH])
            );
        end
        for (row = 0; row < ROWS; row = row + 1) begin : g_row
            wire [SPREAD*P_WIDTH-1:0] products;
            for (part = 0; part < SPREAD; part = part + 1) begin : g_part
                multiply #(.A_WIDTH(V_WIDTH), .B_WIDTH(W_WIDTH), .BLOCK(part < BLOCKS ? 1 : 0)) factors (
                    .clk(clk), .a(operands[(part*ROWS+row)/2*V_WIDTH+:V_WIDTH]), .b(word[(row*SPREAD+part)*W_WIDTH+:W_WIDTH]),
                    .product(products[part*P_WIDTH+:P_WIDTH])
                );
            end
            wire signed [D_WIDTH-1:0] term;
            sum_grown #(.TERMS(SPREAD), .WIDTH(P_WIDTH), .LEVELS(REDUCE)) add (.clk(clk), .terms(products), .sum(term));
            (* ram_style = "distributed" *) reg signed [A_WIDTH-1:0] held[0:(1<<PASS_BITS)-1];
            reg signed [A_WIDTH-1:0] earlier;  // words of this pass
            reg signed [B_WIDTH-1:0] bias;
            always @(posedge clk) bias <= bias_word[row*B_WIDTH+:B_WIDTH];
            wire signed [A_WIDTH-1:0] wide_bias = bias;
            wire signed [A_WIDTH-1:0] wide_term = term;
            wire signed [A_WIDTH-1:0] base = !sum_first ? earlier : sum_adds ? held[sum_pass] : wide_bias <<< B_SHIFT;
            wire signed [A_WIDTH-1:0] next = base + (wide_term <<< SUM_SHIFT);
            always @(posedge clk) begin
                if (sum_valid) earlier <= next;
                if (sum_held) held[sum_pass] <= next;
            end
            assign sums[row*A_WIDTH+:A_WIDTH] = next;
        end
    endgenerate

    // ---- completed chunks wait for the tail in order
    reg [4:0] entered, left;
    wire [ROWS*A_WIDTH-1:0] chunk_sums;
    lut_ram #(.WIDTH(ROWS * A_WIDTH)) queue (
        .clk(clk), .write(sum_done), .write_address(entered[3:0]), .data(sums), .address(left[3:0]), .word(chunk_sums)
    );
    wire chunk_ready = entered != left;
    always @(posedge clk) begin
        if (sum_done) entered <= entered + 1'b1;
        if (chunk_taken) left <= left + 1'b1;
        if (rst) begin
            entered <= 0;
            left <= 0;
        end
    end

    folded_tail #(
        .UNITS(UNITS), .CHUNK(CHUNK), .A_WIDTH(A_WIDTH), .A_FRACTION(A_FRACTION),
        .H_WIDTH(H_WIDTH), .H_FRACTION(H_FRACTION), .H_ROUND(H_ROUND), .H_SATURATE(H_SATURATE),
        .C_WIDTH(C_WIDTH), .C_FRACTION(C_FRACTION), .C_ROUND(C_ROUND), .C_SATURATE(C_SATURATE),
        .T_WIDTH(T_WIDTH), .T_FRACTION(T_FRACTION),
        .GATE_INDEX_BITS(GATE_INDEX_BITS), .CELL_INDEX_BITS(CELL_INDEX_BITS),
        .GATE_TOWARDS_ZERO(GATE_TOWARDS_ZERO), .CELL_TOWARDS_ZERO(CELL_TOWARDS_ZERO),
        .MEMORY(MEMORY + 8'd2), .GATE_INIT(GATE_INIT), .CELL_INIT(CELL_INIT)
    ) tail (
        .clk(clk), .rst(rst), .bank(bank),
        .sums(chunk_sums), .chunk_ready(chunk_ready), .chunk_taken(chunk_taken),
        .first(tail_first), .answer(tail_answer),
        .h_valid(h_valid), .h_last(h_last), .h(h), .h_first(h_first), .h_answer(h_answer), .h_ready(h_ready),
        .h_complete(h_complete), .h_state(h_state), .clear(clear),
        .state_write(state_write), .state_address(state_address),
        .state_write_data(state_write_data), .state_read_data(state_read_data),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );
endmodule

`resetall
