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

    reg [(1<<INDEX_BITS)-1:0] has;             // of the groups so far, from bit 0
    reg [(INDEX_BITS<<INDEX_BITS)-1:0] at;     // within each
    integer level, k;
    always @* begin
        has = value;
        at = 0;
        for (level = 0; level < INDEX_BITS; level = level + 1) begin
            for (k = 0; k < 1 << (INDEX_BITS - 1 - level); k = k + 1) begin
                if (has[2*k]) at[k*INDEX_BITS+:INDEX_BITS] = at[2*k*INDEX_BITS+:INDEX_BITS];
                else begin
                    at[k*INDEX_BITS+:INDEX_BITS] = at[(2*k+1)*INDEX_BITS+:INDEX_BITS];
                    at[k*INDEX_BITS+level] = 1'b1;
                end
                has[k] = has[2*k] || has[2*k+1];
            end
        end
    end
    assign any = has[0];
    assign index = at[INDEX_BITS-1:0];
endmodule

`resetall
