// Decoder, book and features, one behind the other, for benches.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module event_features_bench #(
    parameter int INSTRUMENTS = 1,
    parameter int WINDOW_BITS = 14,
    parameter int LEVELS = 10,
    parameter int FEATURE_BITS = 128,
    parameter int COUNT_BITS = $clog2(LEVELS + 1)
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire [            63:0] s_axis_tdata,
    input  wire                    s_axis_tvalid,
    input  wire                    s_axis_tlast,
    output wire                    s_axis_tready,
    output wire                    out_valid,
    input  wire                    out_ready,
    output wire [             2:0] out_kind,
    output wire [            31:0] out_number,
    output wire                    out_stale,
    output wire                    out_first,
    output wire [            63:0] out_now,
    output wire [FEATURE_BITS-1:0] features
);
    wire shown, best, taken, last, stale, valid, row_taken;
    wire [2:0] kind;
    wire [1:0] side;
    wire [7:0] instrument;
    wire [31:0] number;
    wire [63:0] row_local_ns, local_ns, quantity_lots, base;
    wire made, made_void;  // what has no features passes by
    assign out_valid = made && !made_void;
    wire [COUNT_BITS-1:0] bid_count, ask_count;
    wire [LEVELS*WINDOW_BITS-1:0] bid_keys, ask_keys;
    wire [LEVELS*40-1:0] bid_lots, ask_lots;

    event_book_bench #(.INSTRUMENTS(INSTRUMENTS), .WINDOW_BITS(WINDOW_BITS), .LEVELS(LEVELS)) book (
        .clk(clk), .rst(rst), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tlast(s_axis_tlast),
        .s_axis_tready(s_axis_tready), .out_valid(shown), .out_ready(taken), .out_best(best), .out_kind(kind), .out_side(side),
        .out_instrument(instrument), .out_stale(stale), .out_number(number), .out_local_ns(local_ns), .out_price_ticks(),
        .out_quantity_lots(quantity_lots), .out_last(last), .row_taken(row_taken), .row_local_ns(row_local_ns), .valid(valid),
        .base(base), .bid_count(bid_count), .bid_keys(bid_keys), .bid_lots(bid_lots), .ask_count(ask_count), .ask_keys(ask_keys),
        .ask_lots(ask_lots), .counts()
    );
    market_features #(.WINDOW_BITS(WINDOW_BITS), .LEVELS(LEVELS)) vector (
        .clk(clk), .rst(rst), .row_taken(row_taken), .row_local_ns(row_local_ns), .in_best(best), .in_valid(shown), .in_ready(taken),
        .in_kind(kind), .in_side(side), .in_last(last), .in_stale(stale), .in_own(instrument == 0), .in_number(number), .in_local_ns(local_ns),
        .in_quantity_lots(quantity_lots), .valid(valid), .base(base), .bid_count(bid_count), .bid_keys(bid_keys),
        .bid_lots_all(bid_lots), .ask_count(ask_count), .ask_keys(ask_keys), .ask_lots_all(ask_lots), .out_valid(made),
        .out_ready(out_ready || made_void), .out_void(made_void), .out_local_ns(), .out_mid(), .out_kind(out_kind), .out_number(out_number), .out_stale(out_stale), .out_first(out_first),
        .out_now(out_now), .features(features)
    );
endmodule

`resetall
