// Decoder and book, one behind the other, for benches.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module event_book_bench #(
    parameter int INSTRUMENTS = 1,
    parameter int WINDOW_BITS = 14,
    parameter int LEVELS = 10,
    parameter int COUNT_BITS = $clog2(LEVELS + 1)
) (
    input  wire                          clk,
    input  wire                          rst,
    input  wire [                  63:0] s_axis_tdata,
    input  wire                          s_axis_tvalid,
    input  wire                          s_axis_tlast,
    output wire                          s_axis_tready,
    output wire                          out_valid,
    input  wire                          out_ready,
    output wire                          out_best,
    output wire [                   2:0] out_kind,
    output wire [                   1:0] out_side,
    output wire [                   7:0] out_instrument,
    output wire                          out_stale,
    output wire [                  31:0] out_number,
    output wire [                  63:0] out_local_ns,
    output wire [                  63:0] out_price_ticks,
    output wire [                  63:0] out_quantity_lots,
    output wire                          out_last,
    output wire                          row_taken,      // by the book, and its local time
    output wire [                  63:0] row_local_ns,
    output wire                          valid,
    output wire [                  63:0] base,
    output wire [        COUNT_BITS-1:0] bid_count,
    output wire [LEVELS*WINDOW_BITS-1:0] bid_keys,
    output wire [         LEVELS*40-1:0] bid_lots,
    output wire [        COUNT_BITS-1:0] ask_count,
    output wire [LEVELS*WINDOW_BITS-1:0] ask_keys,
    output wire [         LEVELS*40-1:0] ask_lots,
    output wire [             9*32-1:0]  counts   // messages first
);
    wire row_valid, row_ready, row_first, row_last, row_stale;
    wire [2:0] row_kind;
    wire [1:0] row_side;
    wire [7:0] row_instrument;
    wire [31:0] row_number;
    wire [63:0] row_sequence, row_before, row_price_ticks, row_quantity_lots;

    assign row_taken = row_valid && row_ready;
    event_decoder #(.INSTRUMENTS(INSTRUMENTS)) decoder (
        .clk(clk), .rst(rst), .stale_on(1'b1), .stale_ns(64'd3000000), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tlast(s_axis_tlast), .s_axis_tready(s_axis_tready), .row_valid(row_valid), .row_ready(row_ready), .row_kind(row_kind),
        .row_side(row_side), .row_first(row_first), .row_last(row_last), .row_instrument(row_instrument), .row_stale(row_stale),
        .row_number(row_number), .row_local_ns(row_local_ns), .row_exchange_ns(), .row_sequence(row_sequence), .row_before(row_before),
        .row_price_ticks(row_price_ticks), .row_quantity_lots(row_quantity_lots), .events(), .duplicates(), .gaps(), .lost(),
        .sessions(), .malformed(), .truncated(), .stale()
    );
    price_book #(.WINDOW_BITS(WINDOW_BITS), .LEVELS(LEVELS)) book (
        .clk(clk), .rst(rst), .row_valid(row_valid), .row_ready(row_ready), .row_kind(row_kind), .row_side(row_side),
        .row_first(row_first), .row_last(row_last), .row_instrument(row_instrument), .row_stale(row_stale), .row_number(row_number),
        .row_local_ns(row_local_ns), .row_sequence(row_sequence), .row_before(row_before), .row_price_ticks(row_price_ticks),
        .row_quantity_lots(row_quantity_lots), .out_valid(out_valid), .out_ready(out_ready), .out_best(out_best), .out_kind(out_kind), .out_side(out_side), .out_last(out_last),
        .out_instrument(out_instrument), .out_own(), .out_stale(out_stale), .out_number(out_number), .out_local_ns(out_local_ns),
        .out_price_ticks(out_price_ticks), .out_quantity_lots(out_quantity_lots), .valid(valid), .base(base), .bid_count(bid_count),
        .bid_keys(bid_keys), .bid_lots(bid_lots), .ask_count(ask_count), .ask_keys(ask_keys), .ask_lots(ask_lots),
        .messages(counts[31:0]), .gaps(counts[63:32]), .crosses(counts[95:64]), .stale(counts[127:96]), .dropped(counts[159:128]),
        .resets(counts[191:160]), .outside(counts[223:192]), .escapes(counts[255:224]), .thin(counts[287:256])
    );
endmodule

`resetall
