// A table that never changes: READS entries a cycle, each in the cycle after its index. INIT is a hex file of 2**INDEX_BITS entries.
//
// In block RAM; up to IN_LOGIC index bits in look-up tables before the register, since such a table costs less than the time that
// block RAM takes to answer.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module constant_memory #(
    parameter int WIDTH = 8,
    parameter int INDEX_BITS = 8,
    parameter int READS = 2,
    parameter INIT = "",
    parameter int IN_LOGIC = 6
) (
    input  wire                        clk,
    input  wire [READS*INDEX_BITS-1:0] indices,
    output wire [     READS*WIDTH-1:0] found
);
    genvar k;
    generate
        if (INDEX_BITS <= IN_LOGIC) begin : g_logic
            for (k = 0; k < READS; k = k + 1) begin : g_read
                wire [WIDTH-1:0] looked_up;
                constant_table #(.WIDTH(WIDTH), .INDEX_BITS(INDEX_BITS), .INIT(INIT)) entries (
                    .index(indices[k*INDEX_BITS+:INDEX_BITS]), .entry(looked_up)
                );
                stage #(.WIDTH(WIDTH), .ON(1)) hold (.clk(clk), .d(looked_up), .q(found[k*WIDTH+:WIDTH]));
            end
        end else begin : g_block
            (* ram_style = "block", rom_style = "block" *) reg [WIDTH-1:0] entries[0:(1<<INDEX_BITS)-1];
            initial if (INIT != "") $readmemh(INIT, entries);
            for (k = 0; k < READS; k = k + 1) begin : g_read
                reg [WIDTH-1:0] entry;
                always @(posedge clk) entry <= entries[indices[k*INDEX_BITS+:INDEX_BITS]];
                assign found[k*WIDTH+:WIDTH] = entry;
            end
        end
    endgenerate
endmodule

`resetall
