// The best levels of a book after a message, and what the message changed; twin of FeatureStream::on_own_book.
//
// `take` reads the book's best levels. Five cycles on `flow` (order flow in lots) and `square` (of the mid's change, in half-ticks)
// stand, from the levels at the `take` before; after two, all else. `first` with `take`: there was none before.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module best_changes #(
    parameter int WINDOW_BITS = 14,
    parameter int QUANTITY_BITS = 40
) (
    input  wire                            clk,
    input  wire                            take,
    input  wire        [             63:0] base,
    input  wire        [  WINDOW_BITS-1:0] bid_key,
    input  wire        [QUANTITY_BITS-1:0] bid_lots_now,
    input  wire        [  WINDOW_BITS-1:0] ask_key,
    input  wire        [QUANTITY_BITS-1:0] ask_lots_now,
    output reg         [QUANTITY_BITS-1:0] bid_lots,
    output reg         [QUANTITY_BITS-1:0] ask_lots,
    output reg  signed [             42:0] mid,        // half-ticks
    output reg         [             20:0] spread,     // ticks, 1 to 2^20
    output reg                             moved,      // the mid is another than before
    output reg  signed [QUANTITY_BITS+2:0] flow,
    output reg         [             41:0] square
);
    function automatic signed [41:0] limited(input [63:0] price);
        limited = $signed(price) > $signed(64'd1 << 40) ? 42'sd1 <<< 40
                : $signed(price) < -$signed(64'd1 << 40) ? -(42'sd1 <<< 40) : price[41:0];
    endfunction

    reg [3:0] after;
    reg [63:0] bid_price, ask_price;
    reg signed [41:0] bid, ask, bid_before, ask_before;
    reg [QUANTITY_BITS-1:0] bid_lots_before, ask_lots_before;
    reg signed [42:0] mid_before;
    wire signed [42:0] apart = ask - bid;
    wire signed [43:0] change = mid - mid_before;
    reg bid_up, bid_down, ask_up, ask_down;  // or equal
    reg signed [21:0] size;

    wire signed [QUANTITY_BITS+2:0] none = 0;
    wire signed [QUANTITY_BITS+2:0] bid_now = {3'b000, bid_lots}, bid_was = {3'b000, bid_lots_before};
    wire signed [QUANTITY_BITS+2:0] ask_now = {3'b000, ask_lots}, ask_was = {3'b000, ask_lots_before};

    always @(posedge clk) begin
        after <= {after[2:0], take};
        if (take) begin
            bid_price <= base + {{(64 - WINDOW_BITS) {1'b0}}, ~bid_key};
            ask_price <= base + {{(64 - WINDOW_BITS) {1'b0}}, ask_key};
            {bid_lots, ask_lots} <= {bid_lots_now, ask_lots_now};
            {bid_lots_before, ask_lots_before} <= {bid_lots, ask_lots};
            {bid_before, ask_before} <= {bid, ask};
            mid_before <= mid;
        end
        if (after[0]) begin
            bid <= limited(bid_price);
            ask <= limited(ask_price);
        end
        if (after[1]) begin
            mid <= bid + ask;
            spread <= apart < 1 ? 21'd1 : apart > $signed(43'd1 << 20) ? 21'd1 << 20 : apart[20:0];
            bid_up <= bid >= bid_before;
            bid_down <= bid <= bid_before;
            ask_up <= ask >= ask_before;
            ask_down <= ask <= ask_before;
        end
        if (after[2]) begin
            moved <= change != 0;
            size <= change < -$signed(44'd1 << 20) ? -(22'sd1 <<< 20) : change > $signed(44'd1 << 20) ? 22'sd1 <<< 20 : change[21:0];
            flow <= (bid_up ? bid_now : none) - (bid_down ? bid_was : none) - (ask_down ? ask_now : none) + (ask_up ? ask_was : none);
        end
        if (after[3]) square <= size * size;
    end
endmodule

`resetall
