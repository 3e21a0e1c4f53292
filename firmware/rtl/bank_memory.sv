// A memory of two banks: one is read, the other is loaded.
//
// Read: `word` is the content of bank `bank` at `address` of the cycle before, as long as `advance` was high then; otherwise
// it keeps its value. Load: a 32-bit part `lane` of a word of the bank that is not read. Both banks start as INIT, a hex
// file of DEPTH words, first lane last in the line (`$readmemh`). One cycle of latency; infers block RAM.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module bank_memory #(
    parameter int WIDTH = 32,
    parameter int DEPTH = 16,
    parameter MEMORY = 8'd0,
    parameter INIT = "",
    parameter int ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  wire                    clk,
    input  wire                    bank,
    input  wire                    advance,
    input  wire [ADDRESS_BITS-1:0] address,
    output reg  [       WIDTH-1:0] word,
    input  wire                    load_write,
    input  wire [            31:0] load_address,
    input  wire [            31:0] load_data
);
    localparam int LANES = (WIDTH + 31) / 32;
    localparam int STRIDE = 1 << ADDRESS_BITS;

    initial if (LANES > 256 || DEPTH > 65536) $fatal(1, "bank_memory: at most 256 lanes and 65536 words");

    reg [32*LANES-1:0] memory[0:2*STRIDE-1];
    integer row;
    initial begin
        if (INIT != "") begin
            $readmemh(INIT, memory, 0, DEPTH - 1);
            $readmemh(INIT, memory, STRIDE, STRIDE + DEPTH - 1);
        end
    end

    wire mine = load_write && load_address[31:24] == MEMORY;
    wire [ADDRESS_BITS:0] write_address = {~bank, load_address[8+:ADDRESS_BITS]};
    wire [ADDRESS_BITS:0] read_address = {bank, address};
    integer lane;
    always @(posedge clk) begin
        for (lane = 0; lane < LANES; lane = lane + 1)
            if (mine && load_address[7:0] == lane) memory[write_address][32*lane+:32] <= load_data;
        if (advance) word <= memory[read_address][WIDTH-1:0];
    end
endmodule

`resetall
