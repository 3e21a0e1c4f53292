// A table of two banks: one is looked up, the other is loaded (`bank_memory.sv`, a lane a word).
//
// LATE 1: in block RAM, `entry` comes in the cycle after `index`. LATE 0: in LUT RAM, at once; for small tables.
// Both banks start as INIT, a hex file of 2**INDEX_BITS entries.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module bank_table #(
    parameter int WIDTH = 13,
    parameter int INDEX_BITS = 10,
    parameter int LATE = 1,
    parameter MEMORY = 8'd0,
    parameter INIT = ""
) (
    input  wire                  clk,
    input  wire                  bank,
    input  wire [INDEX_BITS-1:0] index,
    output wire [     WIDTH-1:0] entry,
    input  wire                  load_write,
    input  wire [          31:0] load_address,
    input  wire [          31:0] load_data
);
    localparam int DEPTH = 1 << INDEX_BITS;

    initial if (WIDTH > 32) $fatal(1, "bank_table: at most 32 bits an entry");

    generate
        if (LATE != 0) begin : g_block
            bank_memory #(
                .WIDTH(WIDTH), .DEPTH(DEPTH), .MEMORY(MEMORY), .INIT(INIT), .ADDRESS_BITS(INDEX_BITS)
            ) entries (
                .clk(clk), .bank(bank), .advance(1'b1), .address(index), .word(entry),
                .load_write(load_write), .load_address(load_address), .load_data(load_data)
            );
        end else begin : g_now
            (* ram_style = "distributed" *) reg [WIDTH-1:0] entries[0:2*DEPTH-1];
            initial
                if (INIT != "") begin
                    $readmemh(INIT, entries, 0, DEPTH - 1);
                    $readmemh(INIT, entries, DEPTH, 2 * DEPTH - 1);
                end
            // the load is a cycle late, so that its address reaches all readers; nothing reads the bank that is loaded
            reg write;
            reg [INDEX_BITS:0] write_address;
            reg [WIDTH-1:0] data;
            always @(posedge clk) begin
                write <= load_write && load_address[31:24] == MEMORY && load_address[7:0] == 0;
                write_address <= {~bank, load_address[8+:INDEX_BITS]};
                data <= load_data[WIDTH-1:0];
                if (write) entries[write_address] <= data;
            end
            assign entry = entries[{bank, index}];
        end
    endgenerate
endmodule

`resetall
