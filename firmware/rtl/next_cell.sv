// c of a unit from f·c and i·g, and where tanh of it stands in its table. No register.
//
// What keeps it short, bit for bit the same: half an LSB of c is added in the carry chain of the sum; `index` is taken before c is
// clamped where the range of the table lies inside that of c. SATURATE 0: this c cannot leave its range.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module next_cell #(
    parameter int T_WIDTH = 8,     // gates: format of the tables' entries
    parameter int T_FRACTION = 7,
    parameter int C_WIDTH = 16,
    parameter int C_FRACTION = 12,
    parameter int ROUND = 1,
    parameter int SATURATE = 1,
    parameter int INDEX_BITS = 8,
    parameter int TOWARDS_ZERO = 0
) (
    input  wire signed [T_WIDTH+C_WIDTH-1:0] kept,   // f·c
    input  wire signed [      2*T_WIDTH-1:0] added,  // i·g
    output wire signed [        C_WIDTH-1:0] value,
    output wire        [     INDEX_BITS-1:0] index
);
    localparam int RANGE_BITS = 3;
    localparam int KEPT_FRACTION = T_FRACTION + C_FRACTION;
    localparam int ADDED_FRACTION = 2 * T_FRACTION;
    localparam int FRACTION = KEPT_FRACTION > ADDED_FRACTION ? KEPT_FRACTION : ADDED_FRACTION;
    localparam int KEPT_WIDTH = T_WIDTH + C_WIDTH + FRACTION - KEPT_FRACTION;
    localparam int ADDED_WIDTH = 2 * T_WIDTH + FRACTION - ADDED_FRACTION;
    localparam int WIDTH = (KEPT_WIDTH > ADDED_WIDTH ? KEPT_WIDTH : ADDED_WIDTH) + 2;
    localparam int HALF = ROUND != 0 && FRACTION > C_FRACTION ? 1 : 0;
    localparam int EARLY = SATURATE != 0 && (ROUND == 0 || HALF != 0) && C_WIDTH - C_FRACTION >= RANGE_BITS
                           && FRACTION >= C_FRACTION ? 1 : 0;
    localparam int WIDE = WIDTH - (FRACTION - C_FRACTION) > C_WIDTH ? WIDTH - (FRACTION - C_FRACTION) : C_WIDTH;

    wire signed [WIDTH-1:0] kept_wide = kept;
    wire signed [WIDTH-1:0] added_wide = added;
    wire signed [WIDTH-1:0] kept_aligned = kept_wide <<< (FRACTION - KEPT_FRACTION);
    wire signed [WIDTH-1:0] added_aligned = added_wide <<< (FRACTION - ADDED_FRACTION);
    wire signed [WIDTH-1:0] sum;
    wire signed [WIDE-1:0] squashed;
    generate
        if (HALF != 0) begin : g_rounded
            sum_with_half #(.WIDTH(WIDTH), .HALF(FRACTION - C_FRACTION - 1)) add (
                .a(kept_aligned), .b(added_aligned), .sum(sum)
            );
        end else begin : g_exact
            assign sum = kept_aligned + added_aligned;
        end
        if (EARLY != 0) begin : g_early
            assign squashed = sum >>> (FRACTION - C_FRACTION);
        end else begin : g_clamped
            assign squashed = value;
        end
    endgenerate
    convert #(
        .FROM_WIDTH(WIDTH), .FROM_FRACTION(FRACTION), .TO_WIDTH(C_WIDTH), .TO_FRACTION(C_FRACTION),
        .ROUND(ROUND != 0 && HALF == 0), .SATURATE(SATURATE)
    ) to_cell (.value(sum), .converted(value));
    table_index #(
        .WIDTH(WIDE), .FRACTION(C_FRACTION), .INDEX_BITS(INDEX_BITS), .RANGE_BITS(RANGE_BITS), .TOWARDS_ZERO(TOWARDS_ZERO)
    ) to_index (.value(squashed), .index(index));
endmodule

`resetall
