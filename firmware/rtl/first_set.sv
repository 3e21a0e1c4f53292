// Index of the lowest bit that is set: pairs, pairs of pairs, and so on; in each the first half that has one.
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
    initial if (INDEX_BITS < 1) $fatal(1, "first_set: at least two bits");

    genvar level, k;
    generate
        for (level = 0; level <= INDEX_BITS; level = level + 1) begin : g_level
            localparam int COUNT = 1 << (INDEX_BITS - level), BITS = level > 0 ? level : 1;
            wire [COUNT-1:0] has;
            wire [COUNT*BITS-1:0] at;  // within the group
            for (k = 0; k < COUNT; k = k + 1) begin : g_group
                if (level == 0) begin : g_bit
                    assign has[k] = value[k];
                    assign at[k] = 1'b0;
                end else if (level == 1) begin : g_pair
                    assign has[k] = g_level[0].has[2*k] || g_level[0].has[2*k+1];
                    assign at[k] = !g_level[0].has[2*k];
                end else begin : g_pairs
                    wire low = g_level[level-1].has[2*k];
                    assign has[k] = low || g_level[level-1].has[2*k+1];
                    assign at[k*BITS+:BITS] = {
                        !low, low ? g_level[level-1].at[2*k*(level-1)+:level-1] : g_level[level-1].at[(2*k+1)*(level-1)+:level-1]
                    };
                end
            end
        end
    endgenerate
    assign any = g_level[INDEX_BITS].has[0];
    assign index = g_level[INDEX_BITS].at[INDEX_BITS-1:0];
endmodule

`resetall
