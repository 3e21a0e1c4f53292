// One side of a book: a quantity for each price of a window, and a map of the prices that hold one. The lowest key is the best price.
//
// A write takes two cycles; quantity 0 removes the level. The map has words of 64 keys, and a summary of the words that hold
// any: only where its bit is set does a word count, so a clear takes one cycle. A word that is emptied keeps its bit until a scan
// finds it empty, since to know it from the block RAM in the cycle of the change was the whole path's longest wire. `scan` lists the
// LEVELS best levels: the first after five cycles, one a cycle then, two or three more for a word that holds few, one for a word
// emptied since; `scanning` falls when all are listed.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module book_side #(
    parameter int WINDOW_BITS = 14,
    parameter int QUANTITY_BITS = 40,
    parameter int LEVELS = 10,
    parameter int COUNT_BITS = $clog2(LEVELS + 1)
) (
    input  wire                            clk,
    input  wire                            rst,
    input  wire                            clear,     // not while a write or a scan is under way
    input  wire                            write,     // not in the cycle after a write, nor while scanning
    input  wire [         WINDOW_BITS-1:0] write_key,
    input  wire [       QUANTITY_BITS-1:0] write_lots,
    input  wire                            scan,      // not in the cycle of a write
    output reg                             scanning,
    output reg  [          COUNT_BITS-1:0] count,
    output reg  [  LEVELS*WINDOW_BITS-1:0] keys,
    output reg  [LEVELS*QUANTITY_BITS-1:0] lots
);
    localparam int WORD_BITS = 6;
    localparam int AT_BITS = WINDOW_BITS - WORD_BITS;

    initial if (WINDOW_BITS < 8 || WINDOW_BITS > 18) $fatal(1, "book_side: windows of 2^8 to 2^18 prices");

    reg [63:0] words[0:(1<<AT_BITS)-1];
    reg [QUANTITY_BITS-1:0] quantities[0:(1<<WINDOW_BITS)-1];
    reg [(1<<AT_BITS)-1:0] summary, left;

    // ---- scan: find a word, read it, list its bits; each stage goes on when the next one can take
    wire any_left;
    wire [AT_BITS-1:0] next_at;
    first_set #(.INDEX_BITS(AT_BITS)) find (.value(left), .any(any_left), .index(next_at));
    reg found, was_read, has_word;
    reg [AT_BITS-1:0] found_at, read_at, word_at;
    reg [63:0] word, read_word;
    wire [WORD_BITS-1:0] bit_at;
    wire word_any;
    first_set #(.INDEX_BITS(WORD_BITS)) pick (.value(word), .any(word_any), .index(bit_at));
    wire [63:0] rest = word & (word - 1'b1);
    wire take_word = was_read && (!has_word || rest == 0);
    wire read = found && (!was_read || take_word);
    wire go_on = scanning && any_left && (!found || read);
    reg [COUNT_BITS-1:0] listed;
    wire list = has_word && word_any && listed != LEVELS;
    reg looked;
    reg [WINDOW_BITS-1:0] looked_key;
    reg [QUANTITY_BITS-1:0] looked_lots;

    // ---- write: read the word, change its bit
    reg changing, set;
    reg [WINDOW_BITS-1:0] change_key;
    wire [AT_BITS-1:0] change_at = change_key[WINDOW_BITS-1:WORD_BITS];
    wire [63:0] mask = 64'd1 << change_key[WORD_BITS-1:0];
    wire [63:0] old_word = summary[change_at] ? read_word : 64'd0;
    wire [63:0] new_word = set ? old_word | mask : old_word & ~mask;

    wire [AT_BITS-1:0] word_address = scanning ? found_at : write_key[WINDOW_BITS-1:WORD_BITS];  // whether it is written is known late
    always @(posedge clk) begin
        if (!scanning || read) read_word <= words[word_address];
        if (changing) words[change_at] <= new_word;
    end
    always @(posedge clk) begin
        looked_lots <= quantities[{word_at, bit_at}];
        if (write) quantities[write_key] <= write_lots;
    end

    genvar k;
    generate
        for (k = 0; k < LEVELS; k = k + 1) begin : g_level
            always @(posedge clk) begin
                if (looked && count == k) begin
                    keys[k*WINDOW_BITS+:WINDOW_BITS] <= looked_key;
                    lots[k*QUANTITY_BITS+:QUANTITY_BITS] <= looked_lots;
                end
            end
        end
    endgenerate
    always @(posedge clk) begin
        changing <= write;
        change_key <= write_key;
        set <= write_lots != 0;
        if (changing && set) summary[change_at] <= 1;
        if (scanning && has_word && !word_any) summary[word_at] <= 0;

        if (read) begin
            was_read <= 1;
            read_at <= found_at;
        end else if (take_word) was_read <= 0;
        if (go_on) begin
            found <= 1;
            found_at <= next_at;
            left[next_at] <= 0;
        end else if (read) found <= 0;
        if (take_word) begin
            has_word <= 1;
            word <= read_word;
            word_at <= read_at;
        end else if (has_word) begin
            word <= rest;
            has_word <= rest != 0;
        end
        looked <= list;
        looked_key <= {word_at, bit_at};
        if (list) listed <= listed + 1'b1;
        if (looked) count <= count + 1'b1;
        if (scanning && (listed == LEVELS || !(any_left || found || was_read || has_word))) scanning <= 0;
        if (scan) begin
            scanning <= 1;
            left <= summary;
            if (changing && set) left[change_at] <= 1;
            {found, was_read, has_word, looked} <= 0;
            listed <= 0;
            count <= 0;
        end
        if (clear || rst) begin
            summary <= 0;
            count <= 0;
        end
        if (rst) begin
            scanning <= 0;
            {found, was_read, has_word, looked, changing} <= 0;
        end
    end
endmodule

`resetall
