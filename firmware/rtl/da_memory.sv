// The table entries of both weight sets in block RAM, and the copy of the active set into LUT RAM.
//
// After a reset or a `swap` all words of the active set come past, one a cycle: first ENTRIES table entries, then the biases, E_WIDTH bits of
// every row a word, lowest first. `next_valid` and `next_place` say which entry comes in the next cycle, then it stands in `entry` (an
// entry of every row); `copied` rises 3 + WORDS cycles later. `bias` is the active set's from then on. Memory: MEMORY.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module da_memory #(
    parameter int ROWS = 16,
    parameter int E_WIDTH = 8,
    parameter int A_WIDTH = 24,
    parameter int ENTRIES = 32,
    parameter logic [7:0] MEMORY = 0,
    parameter INIT = "",
    parameter int PARTS = (A_WIDTH + E_WIDTH - 1) / E_WIDTH,
    parameter int WORDS = ENTRIES + PARTS,
    parameter int WORD_BITS = $clog2(WORDS),
    parameter int CLUSTER = 16
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    swap,
    output reg                     copied,
    output wire                    next_valid,
    output wire [     WORD_BITS:0] next_place,
    output reg  [ROWS*E_WIDTH-1:0] entry,
    output wire [ROWS*A_WIDTH-1:0] bias,
    input  wire                    load_write,
    input  wire [            31:0] load_address,
    input  wire [            31:0] load_data
);
    reg bank;
    reg [WORD_BITS:0] fetch, place;  // word that the memory gives next, and now
    reg arrived;
    assign next_valid = arrived && place < ENTRIES && !swap && !rst;
    assign next_place = place;
    wire [ROWS*E_WIDTH-1:0] word;
    bank_memory #(
        .WIDTH(ROWS * E_WIDTH), .DEPTH(WORDS), .MEMORY(MEMORY), .INIT(INIT), .ADDRESS_BITS(WORD_BITS)
    ) entries (
        .clk(clk), .bank(bank), .advance(1'b1), .address(fetch[WORD_BITS-1:0]), .word(word),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );
    // which part of the biases stands in `entry`: a copy for every CLUSTER rows, whose registers it enables
    localparam int CLUSTERS = (ROWS + CLUSTER - 1) / CLUSTER;
    wire [PARTS-1:0] comes;
    wire [CLUSTERS*PARTS-1:0] is_part;
    copies #(.WIDTH(PARTS), .COPIES(CLUSTERS)) parts (.clk(clk), .d(comes), .q(is_part));
    genvar row, part;
    generate
        for (part = 0; part < PARTS; part = part + 1) begin : g_comes
            assign comes[part] = arrived && place == ENTRIES + part && !swap && !rst;
        end
        for (row = 0; row < ROWS; row = row + 1) begin : g_row
            reg [PARTS*E_WIDTH-1:0] held;
            for (part = 0; part < PARTS; part = part + 1) begin : g_part
                always @(posedge clk)
                    if (is_part[row/CLUSTER*PARTS+part]) held[part*E_WIDTH+:E_WIDTH] <= entry[row*E_WIDTH+:E_WIDTH];
            end
            assign bias[row*A_WIDTH+:A_WIDTH] = held[A_WIDTH-1:0];
        end
    endgenerate
    wire some = !copied && fetch != WORDS;
    always @(posedge clk) begin
        if (some) fetch <= fetch + 1'b1;
        arrived <= some;
        place <= fetch;
        entry <= word;
        if (is_part[PARTS-1]) copied <= 1;
        if (swap) bank <= !bank;
        if (rst) bank <= 0;
        if (swap || rst) begin
            copied <= 0;
            fetch <= 0;
            arrived <= 0;
        end
    end
endmodule

`resetall
