// The last T - 1 vectors of a windowed model's ticks, replayed from zero state when the core's state is not theirs.
//
// Two banks of slots: one holds the present window, a ring of `stored` vectors from slot `oldest` on; into the other the host writes
// vectors, oldest first from slot 0 on, and their number; `take` changes the banks. The host writes a vector feature by feature; the
// write of the last feature stores it. `value` shows a feature of the present window while nothing is replayed.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module kept_window #(
    parameter int FEATURES = 16,
    parameter int X_WIDTH = 8,
    parameter int WINDOW = 20,
    parameter int WIDTH = FEATURES * X_WIDTH
) (
    input  wire             clk,
    input  wire             rst,
    // ticks
    input  wire [WIDTH-1:0] v,
    input  wire             keep,               // v goes into the core, a tick of the stream
    input  wire             other,              // a vector that is none goes into the core
    // replay
    input  wire             go,
    output wire             replaying,
    output reg              fetched,            // `vector` is the next one to be given
    output reg              begun,              // the first one has been given
    output reg  [WIDTH-1:0] vector,
    input  wire             given,
    output wire             settled,            // the core's state is that of the kept vectors
    output wire             empty,              // there are none: the next tick begins from zero state
    // between ticks
    input  wire             clear,
    input  wire             swap,
    input  wire             take,
    // the host
    input  wire [     15:0] slot,
    input  wire [     11:0] feature,
    output wire             there,
    output wire [     31:0] value,
    input  wire             stage_write,
    input  wire [     31:0] stage_value,
    output wire             stage_busy,
    input  wire             stage_count_write,
    input  wire [     15:0] stage_count,
    output wire [     15:0] stored,
    output wire [     15:0] oldest
);
    localparam int KEPT = WINDOW > 1 ? WINDOW - 1 : 1;
    localparam int BITS = KEPT > 1 ? $clog2(KEPT) : 1;
    localparam int FEATURE_BITS = FEATURES > 1 ? $clog2(FEATURES) : 1;

    reg [WIDTH-1:0] slots[0:(2<<BITS)-1];
    reg bank;
    reg [BITS-1:0] newest, place;  // where the next vector goes; where the next replayed one is
    reg [BITS:0] count, left, staged;  // vectors in the ring; vectors yet to be replayed; vectors that `take` brings
    reg stale;  // the core's state is not that of the kept vectors
    wire [BITS-1:0] oldest_slot = count == KEPT ? newest : 0;
    assign replaying = left != 0;
    assign settled = !stale || count == 0;
    assign empty = count == 0;
    assign stored = count;
    assign oldest = oldest_slot;

    // ---- the host's vector
    reg [WIDTH-1:0] row;
    reg store;
    reg [BITS-1:0] store_slot;
    assign stage_busy = store;
    assign there = slot < WINDOW - 1 && feature < FEATURES;
    wire keeps = keep && WINDOW > 1;
    wire [BITS:0] write_place = keeps ? {bank, newest} : {!bank, store_slot};
    wire [WIDTH-1:0] to_store = keeps ? v : row;
    wire [BITS-1:0] read_slot = replaying ? place : slot[BITS-1:0];
    wire signed [X_WIDTH-1:0] shown = vector[feature[FEATURE_BITS-1:0]*X_WIDTH+:X_WIDTH];
    assign value = {{32{shown[X_WIDTH-1]}}, shown};
    genvar k;
    generate
        for (k = 0; k < FEATURES; k = k + 1) begin : g_feature
            always @(posedge clk) if (stage_write && feature == k) row[k*X_WIDTH+:X_WIDTH] <= stage_value[X_WIDTH-1:0];
        end
    endgenerate

    always @(posedge clk) begin
        if (keeps || store) slots[write_place] <= to_store;
        vector <= slots[{bank, read_slot}];
        if (stage_write) begin
            store <= feature == FEATURES - 1;
            store_slot <= slot[BITS-1:0];
        end else if (!keeps) store <= 0;
        if (stage_count_write) staged <= stage_count[BITS:0];

        fetched <= replaying && !given;
        if (other) stale <= 1;
        if (keeps) begin
            newest <= newest == KEPT - 1 ? 0 : newest + 1'b1;
            stale <= count == KEPT;  // then one vector has left the window
            if (count != KEPT) count <= count + 1'b1;
        end
        if (go) begin
            left <= count;
            place <= oldest_slot;
            begun <= 0;
            fetched <= 0;
            stale <= 0;
        end
        if (given) begin
            left <= left - 1'b1;
            begun <= 1;
            place <= place == KEPT - 1 ? 0 : place + 1'b1;
        end
        if (swap) stale <= 1;
        if (clear) begin
            count <= 0;
            newest <= 0;
            stale <= 0;
        end
        if (take) begin
            bank <= !bank;
            count <= staged;
            newest <= staged == KEPT ? 0 : staged[BITS-1:0];
            stale <= 1;
            staged <= 0;
        end
        if (rst) begin
            bank <= 0;
            newest <= 0;
            count <= 0;
            left <= 0;
            staged <= 0;
            stale <= 0;
            fetched <= 0;
            begun <= 0;
            store <= 0;
        end
    end
endmodule

`resetall
