// Logits of a softmax head become probabilities with 15 fractional bits; twin of `probabilities` in pyorch/inference/reference.py.
//
// e = table[min((highest - logit) >> SHIFT, 2**INDEX_BITS - 1)], share = (e << 15) / sum. `start` with the logits, which stand until
// the shares do: 3 + 16 / DIVIDE_BITS cycles later.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module softmax #(
    parameter int COUNT = 3,
    parameter int Y_WIDTH = 16,
    parameter int SHIFT = 0,
    parameter int INDEX_BITS = 10,
    parameter int DIVIDE_BITS = 4,  // quotient bits a cycle
    parameter INIT = ""
) (
    input  wire                     clk,
    input  wire                     start,
    input  wire [COUNT*Y_WIDTH-1:0] logits,
    output wire [     COUNT*16-1:0] shares
);
    localparam int SUM_BITS = 16 + $clog2(COUNT);
    localparam int LAST = (1 << INDEX_BITS) - 1;
    localparam int STEPS = 16 / DIVIDE_BITS;

    initial if (COUNT < 2 || 16 % DIVIDE_BITS != 0 || DIVIDE_BITS % 2 != 0) $fatal(1, "softmax: COUNT >= 2, DIVIDE_BITS is even and divides 16");

    // ---- 1: how far below the highest  2: table  3: sum
    // Each logit against each other, so that one subtraction stands between the logits and what is chosen by its sign.
    localparam int DIFFERENCE = Y_WIDTH + 1;
    wire [COUNT*COUNT*DIFFERENCE-1:0] differences;  // logit m less logit n at m * COUNT + n
    reg [COUNT-1:0] highest;  // the first of those that no logit exceeds
    reg [COUNT*INDEX_BITS-1:0] indices;
    wire [COUNT*16-1:0] terms;
    reg [SUM_BITS-1:0] total, sum;
    reg [SUM_BITS+1:0] triple;
    reg [1:0] after;
    integer j, k;
    always @* begin
        highest = {COUNT{1'b1}};
        for (k = 1; k < COUNT; k = k + 1)
            for (j = 0; j < k; j = j + 1)
                if (differences[(j*COUNT+k)*DIFFERENCE+Y_WIDTH]) highest[j] = 0;
                else highest[k] = 0;
    end
    always @* begin
        total = 0;
        for (k = 0; k < COUNT; k = k + 1) total = total + terms[16*k+:16];
    end
    always @(posedge clk) begin
        after <= {after[0], start};
        sum <= total;
        triple <= {1'b0, total, 1'b0} + total;
    end
    constant_memory #(.WIDTH(16), .INDEX_BITS(INDEX_BITS), .READS(COUNT), .INIT(INIT)) table_of_exponentials (
        .clk(clk), .indices(indices), .found(terms)
    );

    // ---- 4 on: the quotients, DIVIDE_BITS of their 16 bits a cycle, two at once: the sum, its double and its triple are tried together
    genvar n;
    generate
        for (n = 0; n < COUNT; n = n + 1) begin : g_output
            wire signed [Y_WIDTH-1:0] logit = logits[n*Y_WIDTH+:Y_WIDTH];
            reg [DIFFERENCE-1:0] below;
            wire [DIFFERENCE-1:0] steps = below >> SHIFT;
            integer m;
            genvar other;
            for (other = 0; other < COUNT; other = other + 1) begin : g_other
                wire signed [Y_WIDTH-1:0] its = logits[other*Y_WIDTH+:Y_WIDTH];
                assign differences[(other*COUNT+n)*DIFFERENCE+:DIFFERENCE] = its - logit;
            end
            always @* begin
                below = 0;
                for (m = 0; m < COUNT; m = m + 1) if (highest[m]) below = below | differences[(m*COUNT+n)*DIFFERENCE+:DIFFERENCE];
            end
            always @(posedge clk) indices[n*INDEX_BITS+:INDEX_BITS] <= steps > LAST ? LAST[INDEX_BITS-1:0] : steps[INDEX_BITS-1:0];

            reg [SUM_BITS-1:0] rest, next_rest;  // what is left of the dividend, less than the sum
            reg [SUM_BITS+2:0] tried_1, tried_2, tried_3;
            reg odd, next_odd;  // the half that the first remainder leaves out
            reg [15:0] share, next_share;
            reg [4:0] left;
            integer b;
            always @* begin
                next_rest = rest;
                next_share = share;
                next_odd = odd;
                {tried_1, tried_2, tried_3} = 0;
                for (b = 0; b < DIVIDE_BITS; b = b + 2) begin
                    tried_1 = {1'b0, next_rest, next_odd, 1'b0} - {3'b000, sum};
                    tried_2 = {1'b0, next_rest, next_odd, 1'b0} - {2'b00, sum, 1'b0};
                    tried_3 = {1'b0, next_rest, next_odd, 1'b0} - {1'b0, triple};
                    next_share = {next_share[13:0], !tried_2[SUM_BITS+2], !tried_3[SUM_BITS+2] || (tried_2[SUM_BITS+2] && !tried_1[SUM_BITS+2])};
                    next_rest = !tried_3[SUM_BITS+2] ? tried_3[SUM_BITS-1:0] : !tried_2[SUM_BITS+2] ? tried_2[SUM_BITS-1:0]
                              : !tried_1[SUM_BITS+2] ? tried_1[SUM_BITS-1:0] : {next_rest[SUM_BITS-3:0], next_odd, 1'b0};
                    next_odd = 0;
                end
            end
            always @(posedge clk) begin
                if (after[1]) begin
                    {rest, odd} <= {{(SUM_BITS - 15) {1'b0}}, terms[16*n+:16]};
                    left <= STEPS;
                end else if (left != 0) begin
                    {rest, odd} <= {next_rest, 1'b0};
                    share <= next_share;
                    left <= left - 1'b1;
                end
            end
            assign shares[16*n+:16] = share;
        end
    endgenerate
endmodule

`resetall
