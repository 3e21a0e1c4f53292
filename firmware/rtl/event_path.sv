// From market events to decision words: decoder, book, features, core, scores, policy; the middle ones are generated.
//
// `market_features`, `fabric_core` and `decision_scores` come from the emitter; this module wires them, keeps what the core cannot carry
// in a queue, and lets `sequencer` do between two ticks what may only be done there. With several paths rows go through book and
// features one after the other, which hls/emit/banking.py gives memories; vectors wait in a queue of their instrument's, and the core
// serves these in turn, given the state of the one that is served.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module event_path #(
    parameter int INSTRUMENTS = 1,
    parameter int PATHS = 1,  // instruments 0 to PATHS - 1 have a path
    parameter int LAYERS = 1,
    parameter logic [63:0] UNITS = 64'd32,
    parameter int STATE_WIDTH = 32,
    parameter int STATE_READ = 3,
    parameter int WINDOW_BITS = 13,
    parameter int LEVELS = 10,
    parameter int FEATURES = 16,
    parameter int X_WIDTH = 8,
    parameter int OUTPUTS = 11,
    parameter int Y_WIDTH = 16,
    parameter int RULES = 8,
    parameter int DECIDE = 12,
    parameter int POLICY_WORDS = 1,
    parameter POLICY_FILE = "",
    parameter int COUNT_BITS = $clog2(LEVELS + 1),
    parameter int WHICH = PATHS > 1 ? $clog2(PATHS) : 1
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [63:0] s_axis_tdata,
    input  wire        s_axis_tvalid,
    input  wire        s_axis_tlast,
    output wire        s_axis_tready,
    output wire [63:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    output wire        m_axis_tlast,
    input  wire        m_axis_tready,
    // control
    input  wire        stale_on,
    input  wire [63:0] stale_ns,
    input  wire        weights_set,
    input  wire [63:0] model_digest_0,
    input  wire [63:0] model_digest_1,
    input  wire        want_clear,
    input  wire        want_swap,          // of the weights
    input  wire        want_policy,        // swap of the policy, with that of the weights if both are asked for
    output wire        pending,
    output wire        swapped,            // pulse: the weight sets changed places
    output wire        policy_set,
    input  wire        policy_write,
    input  wire [15:0] policy_address,
    input  wire [31:0] policy_data,
    input  wire        load_write,
    input  wire [31:0] load_address,
    input  wire [31:0] load_data,
    // the decision under way
    output wire        begins,
    output wire        decide,
    output wire [FEATURES*X_WIDTH-1:0] tick_features,
    output wire [OUTPUTS*Y_WIDTH-1:0] y,
    // observed
    output wire [ 3:0] stages,             // the book shows (several paths: features wait), the core is given features, logits are there, the policy decides
    output wire [31:0] events,
    output wire [31:0] duplicates,
    output wire [31:0] gaps,
    output wire [31:0] lost,
    output wire [31:0] sessions,
    output wire [31:0] malformed,
    output wire [31:0] truncated,
    output wire [31:0] stale,
    output wire [31:0] escapes,
    output wire [31:0] thin
);
    reg [47:0] cycle;
    always @(posedge clk) cycle <= rst ? 48'd0 : cycle + 1'b1;

    // ---- events to rows
    wire row_valid, row_ready, row_first, row_last, row_stale;
    wire [2:0] row_kind;
    wire [1:0] row_side;
    wire [7:0] row_instrument;
    wire [31:0] row_number;
    wire [63:0] row_local_ns, row_sequence, row_before, row_price_ticks, row_quantity_lots;
    event_decoder #(.INSTRUMENTS(INSTRUMENTS)) decoder (
        .clk(clk), .rst(rst), .stale_on(stale_on), .stale_ns(stale_ns), .s_axis_tdata(s_axis_tdata),
        .s_axis_tvalid(s_axis_tvalid), .s_axis_tlast(s_axis_tlast), .s_axis_tready(s_axis_tready), .row_valid(row_valid),
        .row_ready(row_ready), .row_kind(row_kind), .row_side(row_side), .row_first(row_first), .row_last(row_last),
        .row_instrument(row_instrument), .row_stale(row_stale), .row_number(row_number), .row_local_ns(row_local_ns),
        .row_exchange_ns(), .row_sequence(row_sequence), .row_before(row_before), .row_price_ticks(row_price_ticks),
        .row_quantity_lots(row_quantity_lots), .events(events), .duplicates(duplicates), .gaps(gaps), .lost(lost),
        .sessions(sessions), .malformed(malformed), .truncated(truncated), .stale(stale)
    );
    // when the last beat was taken: the last of all, that of the row which waits, and of the row that the book has
    reg [47:0] beat_cycle, held_cycle, row_cycle;
    reg row_waited;
    wire [47:0] offered_cycle = row_waited ? held_cycle : beat_cycle;
    always @(posedge clk) begin
        if (s_axis_tvalid && s_axis_tready) beat_cycle <= cycle;
        row_waited <= row_valid && !row_ready && !rst;
        held_cycle <= offered_cycle;
        if (row_valid && row_ready) row_cycle <= offered_cycle;
    end

    // ---- rows to the book
    wire shown, best, taken, shown_last, shown_stale, valid;
    wire [2:0] shown_kind;
    wire [7:0] shown_instrument;
    wire [1:0] shown_side;
    wire own;
    wire [31:0] shown_number;
    wire [63:0] shown_local_ns, shown_quantity_lots, base;
    wire [COUNT_BITS-1:0] bid_count, ask_count;
    wire [LEVELS*WINDOW_BITS-1:0] bid_keys, ask_keys;
    wire [LEVELS*40-1:0] bid_lots, ask_lots;
    price_book #(.WINDOW_BITS(WINDOW_BITS), .LEVELS(LEVELS)) book (
        .clk(clk), .rst(rst), .row_valid(row_valid), .row_ready(row_ready), .row_kind(row_kind), .row_side(row_side),
        .row_first(row_first), .row_last(row_last), .row_instrument(row_instrument), .row_stale(row_stale),
        .row_number(row_number), .row_local_ns(row_local_ns), .row_sequence(row_sequence), .row_before(row_before),
        .row_price_ticks(row_price_ticks), .row_quantity_lots(row_quantity_lots), .out_valid(shown), .out_ready(taken), .out_best(best),
        .out_kind(shown_kind), .out_side(shown_side), .out_last(shown_last), .out_instrument(shown_instrument), .out_own(own),
        .out_stale(shown_stale), .out_number(shown_number), .out_local_ns(shown_local_ns), .out_price_ticks(),
        .out_quantity_lots(shown_quantity_lots), .valid(valid), .base(base), .bid_count(bid_count), .bid_keys(bid_keys),
        .bid_lots(bid_lots), .ask_count(ask_count), .ask_keys(ask_keys), .ask_lots(ask_lots), .messages(), .gaps(), .crosses(),
        .stale(), .dropped(), .resets(), .outside(), .escapes(escapes), .thin(thin)
    );

    // ---- the book to features
    wire made, kept, made_void, made_stale, made_first;
    wire [WHICH-1:0] made_instrument;
    wire [2:0] made_kind;
    wire [31:0] made_number;
    wire [63:0] made_local_ns;
    wire signed [42:0] made_mid;
    wire [FEATURES*X_WIDTH-1:0] made_features;
    reg [47:0] made_cycle;
    always @(posedge clk) if (shown && taken) made_cycle <= row_cycle;
    market_features #(.WINDOW_BITS(WINDOW_BITS), .LEVELS(LEVELS)) vector (
        .clk(clk), .in_instrument(shown_instrument[WHICH-1:0]), .out_instrument(made_instrument),
        .rst(rst), .row_taken(row_valid && row_ready), .row_local_ns(row_local_ns), .in_best(best), .in_valid(shown), .in_ready(taken),
        .in_kind(shown_kind), .in_side(shown_side), .in_last(shown_last), .in_stale(shown_stale), .in_own(own),
        .in_number(shown_number), .in_local_ns(shown_local_ns), .in_quantity_lots(shown_quantity_lots), .valid(valid), .base(base),
        .bid_count(bid_count), .bid_keys(bid_keys), .bid_lots_all(bid_lots), .ask_count(ask_count), .ask_keys(ask_keys),
        .ask_lots_all(ask_lots), .out_valid(made), .out_ready(kept), .out_void(made_void), .out_kind(made_kind),
        .out_number(made_number), .out_stale(made_stale), .out_first(made_first), .out_now(), .out_local_ns(made_local_ns),
        .out_mid(made_mid), .features(made_features)
    );

    // ---- several paths: a queue for each instrument, served in turn, and the states of all
    localparam int VECTOR_BITS = 1 + 1 + 1 + 1 + 3 + 32 + 64 + 48 + FEATURES * X_WIDTH;
    wire turn_valid, turn_ready, turn_void, turn_first, turn_stale, turn_forward, has_state;
    wire [WHICH-1:0] turn_instrument;
    wire [2:0] turn_kind;
    wire [31:0] turn_number;
    wire [63:0] turn_local_ns;
    wire [47:0] turn_cycle;
    wire [FEATURES*X_WIDTH-1:0] features;
    wire [VECTOR_BITS-1:0] made_vector = {
        made_void, made_first, made_stale, made_mid > 0, made_kind, made_number, made_local_ns, made_cycle, made_features
    };
    wire [VECTOR_BITS-1:0] turn_vector;
    assign {turn_void, turn_first, turn_stale, turn_forward, turn_kind, turn_number, turn_local_ns, turn_cycle, features} = turn_vector;
    wire [3:0] state_layer;
    wire state_write;
    wire [12:0] state_address;
    wire [31:0] state_write_data, state_read_data;
    generate
        if (PATHS > 1) begin : g_several
            fair_queue #(.WIDTH(VECTOR_BITS), .INSTRUMENTS(PATHS), .PLACES(4)) turns (
                .clk(clk), .rst(rst), .in_valid(made), .in_ready(kept), .in_instrument(made_instrument), .in(made_vector),
                .out_valid(turn_valid), .out_ready(turn_ready), .out_instrument(turn_instrument), .out(turn_vector)
            );
            instrument_states #(
                .INSTRUMENTS(PATHS), .LAYERS(LAYERS), .UNITS(UNITS), .WIDTH(STATE_WIDTH), .READ(STATE_READ)
            ) states (
                .clk(clk), .rst(rst), .wanted(turn_valid && !turn_void), .instrument(turn_instrument), .first(turn_first),
                .ready(has_state), .drained(drained), .state_layer(state_layer), .state_write(state_write),
                .state_address(state_address), .state_write_data(state_write_data), .state_read_data(state_read_data)
            );
            assign stages[0] = made && kept;
        end else begin : g_one
            assign turn_valid = made;
            assign kept = turn_ready;
            assign turn_instrument = made_instrument;
            assign turn_vector = made_vector;
            assign has_state = 1'b1;
            assign {state_layer, state_write, state_address, state_write_data} = 0;
            assign stages[0] = shown;
        end
    endgenerate

    // ---- features to the core, with the instrument's state; what the core cannot carry, to the queue
    wire queue_ready, v_ready, policy_ready;
    wire v_valid = turn_valid && !turn_void && queue_ready && policy_ready && has_state;
    assign turn_ready = queue_ready && policy_ready && (turn_void || (v_ready && has_state));
    wire x_valid, x_ready, x_first, x_answer, drained, idle, clear, swap, acts, swap_waits;
    wire [FEATURES*X_WIDTH-1:0] x;
    sequencer #(.FEATURES(FEATURES), .X_WIDTH(X_WIDTH), .WINDOW(1), .WINDOWED(0)) ticks (
        .clk(clk), .rst(rst), .hold(1'b0), .v_valid(v_valid), .v_ready(v_ready), .v(features), .v_step(1'b1),
        .v_first(turn_first), .v_inside(1'b0), .v_answer(1'b1), .in_window(1'b0), .x_valid(x_valid), .x_ready(x_ready), .x(x),
        .x_first(x_first), .x_answer(x_answer), .drained(drained), .idle(idle), .clear(clear), .swap(swap), .want_clear(want_clear),
        .want_swap(want_swap), .want_take(1'b0), .take(), .taking(1'b0), .swap_waits(swap_waits), .take_waits(), .pending(), .acts(acts),
        .ready(), .prepared(), .quiet(), .kept_slot(16'd0), .kept_feature(12'd0), .kept_there(), .kept_value(), .stage_write(1'b0),
        .stage_value(32'd0), .stage_busy(), .stage_count_write(1'b0), .stage_count(16'd0), .stored(), .oldest()
    );
    assign swapped = swap;
    assign stages[3:1] = {decide, y_valid, x_valid && x_ready};
    wire y_valid, y_ready;
    fabric_core core (
        .clk(clk), .rst(rst), .x_valid(x_valid), .x_ready(x_ready), .x(x), .x_first(x_first), .x_answer(x_answer), .y_valid(y_valid),
        .y_ready(y_ready), .y(y), .clear(clear), .swap(swap), .drained(drained), .idle(idle), .state_layer(state_layer),
        .state_write(state_write), .state_address(state_address), .state_write_data(state_write_data),
        .state_read_data(state_read_data), .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );

    localparam int TICK_BITS = WHICH + 2 + VECTOR_BITS;
    wire tick_valid, tick_ready, tick_void, tick_first, tick_stale, tick_forward, tick_set, tick_weights;
    wire [WHICH-1:0] tick_instrument;
    wire [2:0] tick_kind;
    wire [31:0] tick_number;
    wire [63:0] tick_local_ns;
    wire [47:0] tick_cycle;
    wire [TICK_BITS-1:0] turn_tick = {
        turn_instrument, turn_void, turn_first, turn_stale, turn_forward, policy_set, weights_set, turn_kind, turn_number,
        turn_local_ns, turn_cycle, features
    };
    small_queue #(.WIDTH(TICK_BITS), .PLACES(4)) waiting (
        .clk(clk), .rst(rst), .in_valid(turn_valid && turn_ready), .in_ready(queue_ready), .in(turn_tick), .out_valid(tick_valid),
        .out_ready(tick_ready), .out({tick_instrument, tick_void, tick_first, tick_stale, tick_forward, tick_set, tick_weights,
                                      tick_kind, tick_number, tick_local_ns, tick_cycle, tick_features})
    );

    // ---- policy registers: sets change where no vector goes, with the weights if they are to change too
    wire policy_pending, write;
    wire [15:0] write_address;
    wire [31:0] write_data;
    policy_store #(.COUNT(POLICY_WORDS), .INIT(POLICY_FILE)) store (
        .clk(clk), .rst(rst), .ready(policy_ready), .set(policy_set), .want_swap(want_policy),
        .may_swap(swap_waits ? swap : !(turn_valid && turn_ready)), .pending(policy_pending), .write(write), .address(write_address),
        .data(write_data), .host_write(policy_write), .host_address(policy_address), .host_data(policy_data)
    );
    assign pending = policy_pending || swap_waits || (tick_valid && tick_set != policy_set);

    // ---- logits to the decision word
    wire start, counts, warm, model_valid;
    wire [RULES-1:0] met, kept_acting, fired, active;
    wire [19:0] extra_down_bp100, extra_up_bp100;
    wire [6:0] size_down_percent, size_up_percent, up_output, down_output;
    wire [31:0] forecast_bp100;
    wire [63:0] policy_digest;
    wire [OUTPUTS*32-1:0] scores;
    wire signed [23:0] up_score, down_score;
    decision_scores #(.RULES(RULES)) scoring (
        .clk(clk), .set(tick_set), .write_set(!policy_set), .start(start), .logits(y), .met(met), .kept(kept_acting),
        .model_valid(model_valid), .scores(scores), .up_output(up_output), .down_output(down_output), .up_score(up_score),
        .down_score(down_score), .write(write), .write_address(write_address), .write_data(write_data)
    );
    policy_rules #(.RULES(RULES)) policy (
        .clk(clk), .rst(rst), .tick_instrument(tick_instrument), .set(tick_set), .write_set(!policy_set), .begins(begins),
        .first(tick_first), .local_ns(tick_local_ns),
        .warm(warm), .decide(decide), .counts(counts), .met(met), .kept(kept_acting), .up_output(up_output),
        .down_output(down_output), .up_score(up_score), .down_score(down_score), .fired(fired), .active(active),
        .extra_down_bp100(extra_down_bp100), .extra_up_bp100(extra_up_bp100), .size_down_percent(size_down_percent),
        .size_up_percent(size_up_percent), .forecast_bp100(forecast_bp100), .digest(policy_digest), .write(write),
        .write_address(write_address), .write_data(write_data)
    );
    decision_word #(.OUTPUTS(OUTPUTS), .RULES(RULES), .DECIDE(DECIDE)) words (
        .clk(clk), .rst(rst), .cycle(cycle), .tick_valid(tick_valid), .tick_ready(tick_ready), .tick_void(tick_void),
        .tick_first(tick_first), .tick_stale(tick_stale), .tick_forward(tick_forward), .tick_set(tick_set),
        .tick_weights(tick_weights), .tick_kind(tick_kind), .tick_instrument({{(8 - WHICH) {1'b0}}, tick_instrument}), .tick_number(tick_number),
        .tick_local_ns(tick_local_ns), .tick_cycle(tick_cycle), .y_valid(y_valid), .y_ready(y_ready), .start(start), .begins(begins),
        .decide(decide), .counts(counts), .warm(warm), .model_valid(model_valid), .fired(fired), .active(active),
        .extra_down_bp100(extra_down_bp100), .extra_up_bp100(extra_up_bp100), .size_down_percent(size_down_percent),
        .size_up_percent(size_up_percent), .forecast_bp100(forecast_bp100),
        .model_digest(tick_weights ? model_digest_1 : model_digest_0), .policy_digest(policy_digest), .scores(scores),
        .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready), .m_axis_tdata(m_axis_tdata), .m_axis_tlast(m_axis_tlast)
    );
endmodule

`resetall
