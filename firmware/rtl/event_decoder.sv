// Beats of market events (docs/wire_events.md) become rows; twin of pyorch/market/wire_decoder.py, which defines it.
//
// A row is valid one cycle after its last beat was taken, and holds until it is taken. Numbers that are missing, a new session, a cut
// event give RESET rows; what is foreign or has passed gives none. The header takes five cycles, of a DEPTH event with five beats, of
// others with four; an event of n narrow rows takes 5 + n cycles.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module event_decoder #(
    parameter int INSTRUMENTS = 1
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        stale_on,
    input  wire [63:0] stale_ns,         // an event later than that beyond the least delay is stale
    input  wire [63:0] s_axis_tdata,
    input  wire        s_axis_tvalid,
    input  wire        s_axis_tlast,
    output wire        s_axis_tready,
    output reg         row_valid,
    input  wire        row_ready,
    output wire [ 2:0] row_kind,
    output wire [ 1:0] row_side,
    output wire        row_first,
    output wire        row_last,
    output wire [ 7:0] row_instrument,
    output wire        row_stale,
    output wire [31:0] row_number,
    output wire [63:0] row_local_ns,
    output wire [63:0] row_exchange_ns,
    output wire [63:0] row_sequence,
    output wire [63:0] row_before,       // the update id before this one; -1: not known
    output wire [63:0] row_price_ticks,
    output wire [63:0] row_quantity_lots,
    output reg  [31:0] events,
    output reg  [31:0] duplicates,
    output reg  [31:0] gaps,
    output reg  [31:0] lost,
    output reg  [31:0] sessions,
    output reg  [31:0] malformed,
    output reg  [31:0] truncated,
    output reg  [31:0] stale
);
    localparam logic [3:0] VERSION = 1;
    localparam logic [2:0] DEPTH = 0, RESET = 6;
    localparam logic [1:0] NO_SIDE = 2, NO_SUCH_SIDE = 3;
    localparam logic [2:0] HEADER = 0, JUDGE = 1, ROWS = 2, RESETS = 3, DROP = 4;
    localparam int BUCKET = 33;
    localparam int INSTRUMENT_BITS = INSTRUMENTS > 1 ? $clog2(INSTRUMENTS) : 1;

    initial if (INSTRUMENTS < 1 || INSTRUMENTS > 256) $fatal(1, "event_decoder: 1 to 256 instruments");

    reg [2:0] state, after_resets;
    reg [1:0] place;                       // beat of the header
    // ---- header
    reg [2:0] kind;
    reg first, ends, wide;
    reg [7:0] instrument, rows_left;
    reg [3:0] session;
    reg [31:0] number;
    reg [63:0] local_ns, exchange_ns, venue_sequence, venue_before;
    reg cut;                               // the frame has ended with the header
    // ---- what was before
    reg began;                             // a session is known
    reg [3:0] last_session;
    reg [31:0] expected;
    reg [31:0] ahead;
    reg anew, accepted;
    // ---- row
    reg has_price;
    reg [63:0] held_price;
    reg is_reset;
    reg [1:0] side;
    reg row_begins, row_ends;
    reg [63:0] price, quantity;
    reg [7:0] resets_at, resets_end;       // instruments that are yet to be reset
    reg reset_own;                         // then that of this event once more
    reg [7:0] shown_instrument;

    wire room = !row_valid || row_ready;
    assign s_axis_tready = !rst && (state == DROP || (state == HEADER && room) || (state == ROWS && room)
                         || (state == JUDGE && kind == DEPTH && !cut && room));
    wire taken = s_axis_tvalid && s_axis_tready;

    wire [63:0] beat = s_axis_tdata;
    wire plausible = beat[31:28] == VERSION && !beat[7] && !beat[3] && beat[23:16] != 0 && {1'b0, beat[15:8]} < INSTRUMENTS;

    // ---- lateness. What an instrument had is read as soon as beat 0 names it, and compared with itself while the header still comes;
    // three comparisons with the delay stand side by side when the event is judged, the last one and the memories' writes a cycle later.
    wire judged = state == JUDGE && (kind == DEPTH ? (taken || cut) : room);
    wire passed = ahead[31] && !anew;
    wire admitted = judged && !(kind == DEPTH && cut) && !passed;
    wire [63-BUCKET:0] bucket = local_ns[63:BUCKET];
    wire [INSTRUMENT_BITS-1:0] slot = instrument[INSTRUMENT_BITS-1:0];
    (* ram_style = "distributed" *) reg [63:0] least_now[0:(1<<INSTRUMENT_BITS)-1];
    (* ram_style = "distributed" *) reg [63:0] least_before[0:(1<<INSTRUMENT_BITS)-1];
    (* ram_style = "distributed" *) reg [63-BUCKET:0] bucket_now[0:(1<<INSTRUMENT_BITS)-1];
    reg [(1<<INSTRUMENT_BITS)-1:0] has_now, has_before;
    // right from two, three, four cycles behind beat 0 on; judged is four behind it
    reg [63:0] had_now, had_before;
    reg [63-BUCKET:0] had_bucket;
    reg same, follows, falling;
    reg [63:0] delay, earlier;
    reg before_counts;
    wire now_less = same && $signed(had_now) < $signed(delay);
    wire earlier_less = before_counts && (now_less ? falling : $signed(earlier) < $signed(delay));
    reg [63:0] now, least;
    reg watching, fresh;
    wire [63:0] late_by = delay - least;
    wire late_now = watching && $signed(late_by) > $signed(stale_ns);
    reg late;
    assign row_stale = late && !is_reset;

    always @(posedge clk) begin
        had_now <= least_now[slot];
        had_before <= least_before[slot];
        had_bucket <= bucket_now[slot];
        same <= has_now[slot] && had_bucket == bucket;
        follows <= has_now[slot] && had_bucket + 1'b1 == bucket && !(&had_bucket[62-BUCKET:0] && !had_bucket[63-BUCKET]);
        falling <= $signed(had_before) < $signed(had_now);
        before_counts <= same ? has_before[slot] : follows;
        earlier <= same ? had_before : had_now;
        delay <= local_ns - exchange_ns;
        fresh <= judged;
        watching <= admitted && stale_on && !exchange_ns[63];
        if (judged) begin
            now <= now_less ? had_now : delay;
            least <= earlier_less ? earlier : now_less ? had_now : delay;
        end
        if (fresh) begin
            late <= late_now;
            if (late_now) stale <= stale + 1'b1;
        end
        if (watching) begin  // the row that follows keeps the instrument from changing
            has_now[slot] <= 1;
            has_before[slot] <= before_counts;
            bucket_now[slot] <= bucket;
            least_now[slot] <= now;
            if (!same) least_before[slot] <= had_now;
        end
        if (rst) begin
            has_now <= 0;
            watching <= 0;
            fresh <= 0;
            late <= 0;
            stale <= 0;
        end
    end

    // ---- rows
    assign row_kind = is_reset ? RESET : kind;
    assign row_side = is_reset ? NO_SIDE : side;
    assign row_first = is_reset || row_begins;
    assign row_last = is_reset || row_ends;
    assign row_instrument = is_reset ? shown_instrument : instrument;
    assign row_number = number;
    assign row_local_ns = local_ns;
    assign row_exchange_ns = is_reset ? 64'hFFFFFFFFFFFFFFFF : exchange_ns;
    assign row_sequence = is_reset ? 64'hFFFFFFFFFFFFFFFF : venue_sequence;
    assign row_before = is_reset ? 64'hFFFFFFFFFFFFFFFF : venue_before;
    assign row_price_ticks = is_reset ? 64'd0 : price;
    assign row_quantity_lots = is_reset ? 64'd0 : quantity;

    wire whole_row = !wide || has_price;
    wire row_taken = taken && state == ROWS && whole_row;
    wire bad_side = row_taken && accepted && beat[63:62] == NO_SUCH_SIDE;
    wire last_row = rows_left == 1;
    wire cut_row = taken && state == ROWS && s_axis_tlast && !(whole_row && last_row) && !bad_side;

    always @(posedge clk) begin
        if (row_ready) row_valid <= 0;
        ahead <= began ? number - expected : 32'd0;
        anew <= !began || session != last_session;

        if (state == HEADER && taken) begin
            place <= place + 1'b1;
            case (place)
                2'd0: begin
                    {first, ends, wide} <= {beat[4], beat[5], beat[6]};
                    kind <= beat[2:0];
                    instrument <= beat[15:8];
                    rows_left <= beat[23:16];
                    session <= beat[27:24];
                    number <= beat[63:32];
                    venue_before <= 64'hFFFFFFFFFFFFFFFF;
                    has_price <= 0;
                end
                2'd1: local_ns <= beat;
                2'd2: exchange_ns <= beat;
                2'd3: venue_sequence <= beat;
            endcase
            if (place == 0 && !plausible) begin
                malformed <= malformed + 1'b1;
                state <= s_axis_tlast ? HEADER : DROP;
                place <= 0;
            end else if (place == 3) begin
                state <= JUDGE;
                cut <= s_axis_tlast;
            end else if (s_axis_tlast) begin
                truncated <= truncated + 1'b1;
                place <= 0;
            end
        end

        if (judged) begin
            if (kind == DEPTH && !cut) venue_before <= beat;
            place <= 0;
            cut <= 0;
            state <= ROWS;
            if (kind == DEPTH && cut) begin  // its header is not whole
                truncated <= truncated + 1'b1;
                state <= HEADER;
            end else begin
                accepted <= !passed;
                if (passed) duplicates <= duplicates + 1'b1;
                else begin
                    events <= events + 1'b1;
                    began <= 1;
                    last_session <= session;
                    expected <= number + 1'b1;
                    if (anew) sessions <= sessions + 1'b1;
                    else if (ahead != 0) begin
                        gaps <= gaps + 1'b1;
                        lost <= lost + ahead;
                    end
                end
                resets_at <= 0;
                resets_end <= anew || ahead != 0 ? INSTRUMENTS - 1 : 0;
                reset_own <= 0;
                after_resets <= ROWS;
                if (!passed && (anew || ahead != 0)) state <= RESETS;
                if (cut || (kind == DEPTH && s_axis_tlast)) begin
                    truncated <= truncated + 1'b1;
                    reset_own <= 1;
                    after_resets <= HEADER;
                    if (passed) state <= HEADER;
                    else begin
                        state <= RESETS;
                        if (!anew && ahead == 0) begin  // its own alone
                            resets_at <= instrument;
                            resets_end <= instrument;
                            reset_own <= 0;
                        end
                    end
                end
            end
        end

        if (state == ROWS && taken) begin
            if (!whole_row) begin
                held_price <= beat;
                has_price <= 1;
            end else begin
                has_price <= 0;
                rows_left <= rows_left - 1'b1;
                if (last_row) state <= HEADER;
                if (accepted && !bad_side) begin
                    row_valid <= 1;
                    is_reset <= 0;
                    side <= beat[63:62];
                    row_begins <= first;
                    row_ends <= ends && last_row;
                    first <= 0;
                    price <= wide ? held_price : {{32{beat[31]}}, beat[31:0]};
                    quantity <= wide ? {{2{beat[61]}}, beat[61:0]} : {{34{beat[61]}}, beat[61:32]};
                end
            end
            if (bad_side) malformed <= malformed + 1'b1;
            if (cut_row) truncated <= truncated + 1'b1;
            if (bad_side || cut_row) begin
                resets_at <= instrument;
                resets_end <= instrument;
                reset_own <= 0;
                after_resets <= s_axis_tlast ? HEADER : DROP;
                state <= accepted ? RESETS : HEADER;
            end
        end

        if (state == RESETS && room) begin
            row_valid <= 1;
            is_reset <= 1;
            shown_instrument <= resets_at;
            resets_at <= resets_at + 1'b1;
            if (resets_at == resets_end) begin
                reset_own <= 0;
                resets_at <= instrument;
                resets_end <= instrument;
                if (!reset_own) state <= after_resets;
            end
        end

        if (state == DROP && taken && s_axis_tlast) state <= HEADER;

        if (rst) begin
            state <= HEADER;
            place <= 0;
            cut <= 0;
            began <= 0;
            row_valid <= 0;
            {events, duplicates, gaps, lost, sessions, malformed, truncated} <= 0;
        end
    end
endmodule

`resetall
