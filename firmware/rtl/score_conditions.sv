// Whether a score reaches the thresholds that the rules have for its output, and those that keep them acting; one cycle.
//
// A rule without a condition on this output has thresholds of 0. Two sets; `write` changes those of a rule in the set `write_set`.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module score_conditions #(
    parameter int RULES = 8,
    parameter int RULE_BITS = $clog2(RULES)
) (
    input  wire                 clk,
    input  wire                 set,
    input  wire                 write_set,
    input  wire [         15:0] score,     // a probability: within 0 and 32768
    output reg  [    RULES-1:0] met,
    output reg  [    RULES-1:0] kept,
    input  wire                 write,
    input  wire [RULE_BITS-1:0] write_rule,
    input  wire [         31:0] write_value  // threshold, and 16 bits on the threshold that keeps it acting
);
    genvar r;
    generate
        for (r = 0; r < RULES; r = r + 1) begin : g_rule
            reg [31:0] thresholds[0:1];
            wire [31:0] now = thresholds[set];
            always @(posedge clk) begin
                if (write && write_rule == r) thresholds[write_set] <= write_value;
                met[r] <= score >= now[15:0];
                kept[r] <= score >= now[31:16];
            end
        end
    endgenerate
endmodule

`resetall
