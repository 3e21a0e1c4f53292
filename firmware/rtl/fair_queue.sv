// Queues of instruments in one memory, served in turn: of those that hold something, the next one behind that which was served last.
//
// What is put in comes out two cycles later at the earliest. An instrument waits for at most INSTRUMENTS - 1 others between two of
// its own words. The choice stands until it is taken.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module fair_queue #(
    parameter int WIDTH = 8,
    parameter int INSTRUMENTS = 2,
    parameter int PLACES = 4,
    parameter int BITS = $clog2(INSTRUMENTS)
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_ready,
    input  wire [ BITS-1:0] in_instrument,
    input  wire [WIDTH-1:0] in,
    output reg              out_valid,
    input  wire             out_ready,
    output reg  [ BITS-1:0] out_instrument,
    output wire [WIDTH-1:0] out
);
    localparam int PLACE_BITS = $clog2(PLACES);

    initial if (PLACES < 2 || PLACES != 1 << PLACE_BITS || INSTRUMENTS < 2) $fatal(1, "fair_queue: PLACES is a power of 2");

    (* ram_style = "distributed" *) reg [WIDTH-1:0] places[0:(1<<(BITS+PLACE_BITS))-1];
    reg [PLACE_BITS-1:0] head[0:INSTRUMENTS-1], tail[0:INSTRUMENTS-1];
    reg [PLACE_BITS:0] count[0:INSTRUMENTS-1];
    wire put = in_valid && in_ready;
    assign in_ready = count[in_instrument] != PLACES;
    reg [PLACE_BITS-1:0] out_place;  // head of out_instrument
    assign out = places[{out_instrument, out_place}];

    // ---- the next one, as if the present one were taken: the first behind it that holds a word then
    wire [INSTRUMENTS-1:0] holds;
    wire [INSTRUMENTS*PLACE_BITS-1:0] heads;
    reg [PLACE_BITS-1:0] found_place;
    wire [2*INSTRUMENTS-1:0] twice = {holds, holds};
    reg [BITS:0] found;
    reg any;
    integer k;
    always @* begin
        found = 0;
        found_place = 0;
        any = 0;
        for (k = 2 * INSTRUMENTS - 1; k >= 0; k = k - 1)
            if (twice[k] && k > out_instrument && k <= out_instrument + INSTRUMENTS) begin
                found = k;
                found_place = heads[(k%INSTRUMENTS)*PLACE_BITS+:PLACE_BITS];
                any = 1;
            end
    end
    genvar n;
    generate
        for (n = 0; n < INSTRUMENTS; n = n + 1) begin : g_instrument
            wire present = out_valid && out_instrument == n;
            wire puts = put && in_instrument == n, takes = present && out_ready;
            assign holds[n] = count[n] > present;
            assign heads[n*PLACE_BITS+:PLACE_BITS] = head[n] + present;
            always @(posedge clk) begin
                if (puts) tail[n] <= tail[n] + 1'b1;
                if (takes) head[n] <= head[n] + 1'b1;
                count[n] <= count[n] + puts - takes;
                if (rst) begin
                    head[n] <= 0;
                    tail[n] <= 0;
                    count[n] <= 0;
                end
            end
        end
    endgenerate
    always @(posedge clk) begin
        if (put) places[{in_instrument, tail[in_instrument]}] <= in;
        if (!out_valid || out_ready) begin
            out_valid <= any;
            if (any) begin
                out_instrument <= found >= INSTRUMENTS ? found - INSTRUMENTS : found;
                out_place <= found_place;
            end
        end
        if (rst) begin
            out_valid <= 0;
            out_instrument <= 0;
        end
    end
endmodule

`resetall
