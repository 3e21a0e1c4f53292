// Index of the lowest bit that is set, in two steps: the first group with one, then the first in it.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module first_set #(
    parameter int INDEX_BITS = 6
) (
    input  wire [(1<<INDEX_BITS)-1:0] value,
    output wire                       any,
    output wire [     INDEX_BITS-1:0] index
);
    localparam int LOW = INDEX_BITS / 2, HIGH = INDEX_BITS - LOW;

    initial if (INDEX_BITS < 2) $fatal(1, "first_set: at least four bits");

    wire [(1<<HIGH)-1:0] groups;
    genvar g;
    generate
        for (g = 0; g < (1 << HIGH); g = g + 1) begin : g_group
            assign groups[g] = |value[g<<LOW+:1<<LOW];
        end
    endgenerate
    reg [HIGH-1:0] group;
    reg [LOW-1:0] place;
    wire [(1<<LOW)-1:0] chosen = value[{group, {LOW{1'b0}}}+:1<<LOW];
    integer k;
    always @* begin
        group = 0;
        for (k = (1 << HIGH) - 1; k >= 0; k = k - 1) if (groups[k]) group = k;
    end
    always @* begin
        place = 0;
        for (k = (1 << LOW) - 1; k >= 0; k = k - 1) if (chosen[k]) place = k;
    end
    assign any = |groups;
    assign index = {group, place};
endmodule

`resetall
