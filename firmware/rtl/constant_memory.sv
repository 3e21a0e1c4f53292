// A table that never changes, in block RAM: READS entries a cycle, each in the cycle after its index. INIT is a hex file of
// 2**INDEX_BITS entries.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module constant_memory #(
    parameter int WIDTH = 8,
    parameter int INDEX_BITS = 8,
    parameter int READS = 2,
    parameter INIT = ""
) (
    input  wire                        clk,
    input  wire [READS*INDEX_BITS-1:0] indices,
    output wire [     READS*WIDTH-1:0] found
);
    (* ram_style = "block", rom_style = "block" *) reg [WIDTH-1:0] entries[0:(1<<INDEX_BITS)-1];
    initial if (INIT != "") $readmemh(INIT, entries);
    genvar k;
    generate
        for (k = 0; k < READS; k = k + 1) begin : g_read
            reg [WIDTH-1:0] entry;
            always @(posedge clk) entry <= entries[indices[k*INDEX_BITS+:INDEX_BITS]];
            assign found[k*WIDTH+:WIDTH] = entry;
        end
    endgenerate
endmodule

`resetall
