// A table that never changes: INIT is a hex file of 2**INDEX_BITS entries. Combinational.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module constant_table #(
    parameter int WIDTH = 8,
    parameter int INDEX_BITS = 8,
    parameter INIT = ""
) (
    input  wire [INDEX_BITS-1:0] index,
    output wire [     WIDTH-1:0] entry
);
    reg [WIDTH-1:0] entries[0:(1<<INDEX_BITS)-1];
    initial if (INIT != "") $readmemh(INIT, entries);
    assign entry = entries[index];
endmodule

`resetall
