// The book of one instrument from rows of `event_decoder`: its LEVELS best levels after each message; twin of
// pyorch/market/window_book.py, which defines it.
//
// Every row but those within a message of levels comes out again, in order, with the book as it is then: trades, timers and best
// quotes in the cycle after they were taken, the last row of a message of levels when its levels are listed. A row takes two cycles.
// `out_best` may come before `out_valid`, and the book prove void after it. Prices of levels are keys: a bid's is base + ~key, an ask's base + key. Prices lie within 2^62 ticks.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module price_book #(
    parameter int INSTRUMENT = 0,
    parameter int WINDOW_BITS = 14,
    parameter int QUANTITY_BITS = 40,
    parameter int LEVELS = 10,
    parameter int COUNT_BITS = $clog2(LEVELS + 1)
) (
    input  wire                            clk,
    input  wire                            rst,
    input  wire                            row_valid,
    output wire                            row_ready,
    input  wire [                     2:0] row_kind,
    input  wire [                     1:0] row_side,
    input  wire                            row_first,
    input  wire                            row_last,
    input  wire [                     7:0] row_instrument,
    input  wire                            row_stale,
    input  wire [                    31:0] row_number,
    input  wire [                    63:0] row_local_ns,
    input  wire [                    63:0] row_sequence,
    input  wire [                    63:0] row_before,
    input  wire [                    63:0] row_price_ticks,
    input  wire [                    63:0] row_quantity_lots,
    output reg                             out_valid,
    input  wire                            out_ready,
    output wire                            out_best,      // of the row that is or will be given, the first level of each side is listed
    output reg  [                     2:0] out_kind,
    output reg  [                     1:0] out_side,
    output reg                             out_last,
    output reg  [                     7:0] out_instrument,
    output reg                             out_own,       // the instrument is this book's
    output reg                             out_stale,
    output reg  [                    31:0] out_number,
    output reg  [                    63:0] out_local_ns,
    output reg  [                    63:0] out_price_ticks,
    output reg  [                    63:0] out_quantity_lots,
    // the book
    output reg                             valid,
    output reg  [                    63:0] base,
    output wire [          COUNT_BITS-1:0] bid_count,
    output wire [  LEVELS*WINDOW_BITS-1:0] bid_keys,
    output wire [LEVELS*QUANTITY_BITS-1:0] bid_lots,
    output wire [          COUNT_BITS-1:0] ask_count,
    output wire [  LEVELS*WINDOW_BITS-1:0] ask_keys,
    output wire [LEVELS*QUANTITY_BITS-1:0] ask_lots,
    output reg  [                    31:0] messages,
    output reg  [                    31:0] gaps,
    output reg  [                    31:0] crosses,
    output reg  [                    31:0] stale,
    output reg  [                    31:0] dropped,
    output reg  [                    31:0] resets,
    output reg  [                    31:0] outside,
    output reg  [                    31:0] escapes,
    output reg  [                    31:0] thin
);
    localparam logic [2:0] DEPTH = 0, SNAPSHOT = 1, RESET = 6;
    localparam logic [1:0] BID = 0, ASK = 1, NO_SIDE = 2;
    localparam logic [2:0] IDLE = 0, ACT = 1, WRITTEN = 2, LIST = 3, GIVE = 4;
    localparam logic [63:0] HALF = 64'd1 << (WINDOW_BITS - 1);
    localparam logic [63:0] LIMIT = (64'd1 << QUANTITY_BITS) - 1;

    initial if (QUANTITY_BITS < 2 || QUANTITY_BITS > 61) $fatal(1, "price_book: quantities of 2 to 61 bits");
    initial if (LEVELS < 1 || LEVELS > 32) $fatal(1, "price_book: 1 to 32 levels");

    reg [2:0] state;
    // ---- the row
    reg first;
    wire last = out_last;
    reg [63:0] row_id;
    // ---- the book
    reg has_base, synchronising, admitted, in_depth, in_snapshot, escaped;
    reg [1:0] beyond;
    reg [63:0] book_id;
    // ---- compared
    reg id_none, id_known, unknown_before, follows, precedes, in_window, above, some;
    reg [WINDOW_BITS-1:0] offset;
    reg [QUANTITY_BITS-1:0] lots;

    assign row_ready = state == IDLE && !rst;
    assign out_best = (state == LIST || state == GIVE) && (is_depth || is_snapshot) && bid_count != 0 && ask_count != 0;
    wire is_depth = out_kind == DEPTH && out_own, is_snapshot = out_kind == SNAPSHOT && out_own, is_reset = out_kind == RESET && out_own;
    wire [63:0] from_base = row_price_ticks - base;
    wire row_changes = (row_kind == DEPTH || row_kind == SNAPSHOT || row_kind == RESET) && row_instrument == INSTRUMENT;

    // ---- what a row does
    wire begins = first || (is_depth ? !in_depth : !in_snapshot);
    wire continues = book_id[63] || unknown_before || follows || (synchronising && precedes);
    wire admits = valid && (id_none || (!id_known && continues));
    wire gap = is_depth && begins && valid && !id_none && !id_known && !continues;
    wire admitted_now = begins ? admits : admitted;
    wire voids = is_reset || gap || (is_snapshot && begins);
    wire rebased = !has_base || (is_snapshot && begins);  // asked only where the row changes something
    wire changes = (is_snapshot || (is_depth && admitted_now)) && out_side != NO_SIDE;
    wire writes = state == ACT && changes && (rebased || in_window);
    wire finishes = last && (is_snapshot || (is_depth && admitted_now));
    wire lists = finishes || (last && is_depth && valid && !gap);  // of a message cut short before, nothing was listed
    reg finishing;

    wire [WINDOW_BITS-1:0] key = rebased ? {1'b1, {(WINDOW_BITS - 1){1'b0}}} : offset;
    wire clear = (state == ACT && voids) || (listed && finishing && spoilt);
    wire bids_scan, asks_scan;
    wire list = state == WRITTEN;
    wire listed = state == LIST && !bids_scan && !asks_scan;
    book_side #(.WINDOW_BITS(WINDOW_BITS), .QUANTITY_BITS(QUANTITY_BITS), .LEVELS(LEVELS)) bids (
        .clk(clk), .rst(rst), .clear(clear), .write(writes && out_side == BID), .write_key(~key), .write_lots(lots),
        .scan(list), .scanning(bids_scan), .count(bid_count), .keys(bid_keys), .lots(bid_lots)
    );
    book_side #(.WINDOW_BITS(WINDOW_BITS), .QUANTITY_BITS(QUANTITY_BITS), .LEVELS(LEVELS)) asks (
        .clk(clk), .rst(rst), .clear(clear), .write(writes && out_side == ASK), .write_key(key), .write_lots(lots),
        .scan(list), .scanning(asks_scan), .count(ask_count), .keys(ask_keys), .lots(ask_lots)
    );

    // ---- after a message
    wire [WINDOW_BITS-1:0] best_bid = ~bid_keys[WINDOW_BITS-1:0], best_ask = ask_keys[WINDOW_BITS-1:0];
    wire crossed = bid_count != 0 && ask_count != 0 && best_bid >= best_ask;
    wire scarce = (beyond[BID] && bid_count != LEVELS) || (beyond[ASK] && ask_count != LEVELS);
    wire spoilt = crossed || escaped || scarce;

    always @(posedge clk) begin
        case (state)
            IDLE: if (row_valid) begin
                out_kind <= row_kind;
                out_side <= row_side;
                out_instrument <= row_instrument;
                out_own <= row_instrument == INSTRUMENT;
                out_stale <= row_stale;
                out_number <= row_number;
                out_local_ns <= row_local_ns;
                out_price_ticks <= row_price_ticks;
                out_quantity_lots <= row_quantity_lots;
                {first, out_last} <= {row_first, row_last};
                row_id <= row_sequence;
                id_none <= row_sequence[63];
                id_known <= $signed(row_sequence) <= $signed(book_id);
                unknown_before <= row_before[63];
                follows <= row_before == book_id;
                precedes <= $signed(row_before) < $signed(book_id);
                in_window <= from_base[63:WINDOW_BITS] == 0;
                above <= !from_base[63];
                offset <= from_base[WINDOW_BITS-1:0];
                some <= !row_quantity_lots[63] && row_quantity_lots != 0;
                lots <= row_quantity_lots[63] ? 0
                      : row_quantity_lots > LIMIT ? LIMIT[QUANTITY_BITS-1:0] : row_quantity_lots[QUANTITY_BITS-1:0];
                if (row_changes) state <= ACT;
                else begin
                    state <= GIVE;
                    out_valid <= 1;
                end
            end
            ACT: begin
                state <= !last && !is_reset ? IDLE : lists ? WRITTEN : GIVE;
                finishing <= finishes;
                out_valid <= is_reset || (last && !lists);
                in_depth <= is_depth && !last;
                in_snapshot <= is_snapshot && !last;
                admitted <= is_depth && admitted_now && !last;
                if (voids) begin
                    valid <= 0;
                    has_base <= 0;
                    escaped <= 0;
                    beyond <= 0;
                    book_id <= is_snapshot ? row_id : 64'hFFFFFFFFFFFFFFFF;
                end
                if (is_reset) resets <= resets + 1'b1;
                if (is_depth && begins) begin
                    if (!valid) dropped <= dropped + 1'b1;
                    else if (!id_none && id_known) stale <= stale + 1'b1;
                    else if (gap) gaps <= gaps + 1'b1;
                    else if (!id_none) begin
                        book_id <= row_id;
                        synchronising <= 0;
                    end
                end
                if (changes && rebased) begin
                    base <= out_price_ticks - HALF;
                    has_base <= 1;
                end
                if (changes && !rebased && !in_window && some) begin
                    outside <= outside + 1'b1;
                    if (above == (out_side == BID)) escaped <= 1;
                    else beyond[out_side[0]] <= 1;
                end
            end
            WRITTEN: state <= LIST;
            LIST: if (listed) begin
                state <= GIVE;
                out_valid <= 1;
                if (finishing) begin
                    messages <= messages + 1'b1;
                    valid <= !spoilt;
                    if (is_snapshot) synchronising <= 1;
                    if (crossed) crosses <= crosses + 1'b1;
                    else if (escaped) escapes <= escapes + 1'b1;
                    else if (scarce) thin <= thin + 1'b1;
                    if (spoilt) begin
                        has_base <= 0;
                        escaped <= 0;
                        beyond <= 0;
                        book_id <= 64'hFFFFFFFFFFFFFFFF;
                    end
                end
            end
            default: if (out_ready) begin  // GIVE
                out_valid <= 0;
                state <= IDLE;
            end
        endcase
        if (rst) begin
            state <= IDLE;
            out_valid <= 0;
            {valid, has_base, synchronising, admitted, in_depth, in_snapshot, escaped} <= 0;
            beyond <= 0;
            book_id <= 64'hFFFFFFFFFFFFFFFF;
            {messages, gaps, crosses, stale, dropped, resets, outside, escapes, thin} <= 0;
        end
    end
endmodule

`resetall
