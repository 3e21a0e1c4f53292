// a * b of small numbers in logic, converted as by `convert`: pairs of partial products in a balanced tree, half an LSB among them.
//
// `a` is not negative (A_WIDTH bits, no sign), `b` is signed; their product has FRACTION fractional bits. Combinational.
// Preconditions: A_WIDTH >= 1, B_WIDTH >= 2, TO_FRACTION <= FRACTION.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module small_product #(
    parameter int A_WIDTH = 7,
    parameter int B_WIDTH = 8,
    parameter int FRACTION = 14,
    parameter int TO_WIDTH = 8,
    parameter int TO_FRACTION = 7,
    parameter int ROUND = 1,
    parameter int SATURATE = 1
) (
    input  wire        [ A_WIDTH-1:0] a,
    input  wire signed [ B_WIDTH-1:0] b,
    output wire signed [TO_WIDTH-1:0] converted
);
    localparam int DROP = FRACTION - TO_FRACTION;
    localparam int WIDTH = A_WIDTH + B_WIDTH + 1;
    localparam int LEVELS = $clog2(A_WIDTH + 1);
    localparam int PLACES = 1 << LEVELS;
    localparam int HALF = ROUND != 0 && DROP > 0 ? 1 << (DROP > 0 ? DROP - 1 : 0) : 0;

    initial
        if (A_WIDTH < 1 || B_WIDTH < 2 || TO_FRACTION > FRACTION)
            $fatal(1, "small_product: A_WIDTH >= 1, B_WIDTH >= 2, TO_FRACTION <= FRACTION");

    // Node k of the tree has the children 2k and 2k + 1. The leaves are pairs of partial products; half an LSB follows the last of them.
    localparam int PAIRS = PLACES / 2;
    localparam int PAIR_WIDTH = B_WIDTH + 2;
    wire signed [WIDTH-1:0] nodes[1:2*PAIRS-1];
    genvar k;
    generate
        for (k = 0; k < PAIRS; k = k + 1) begin : g_leaf
            if (2 * k + 1 < A_WIDTH) begin : g_bits
                wire signed [PAIR_WIDTH-1:0] once = b;
                wire signed [PAIR_WIDTH-1:0] pair;
                gated_sum #(.WIDTH(PAIR_WIDTH)) add (.a_on(a[2*k]), .a(once), .b_on(a[2*k+1]), .b(once <<< 1), .sum(pair));
                wire signed [WIDTH-1:0] wide = pair;
                assign nodes[PAIRS+k] = wide <<< (2 * k);
            end else if (2 * k < A_WIDTH) begin : g_bit_and_half
                wire signed [WIDTH-1:0] wide = b;
                wire [WIDTH-1:0] half = HALF;
                gated_sum #(.WIDTH(WIDTH)) add (
                    .a_on(a[2*k]), .a(wide <<< (2 * k)), .b_on(1'b1), .b(half), .sum(nodes[PAIRS+k])
                );
            end else begin : g_half
                assign nodes[PAIRS+k] = 2 * k == A_WIDTH ? HALF : 0;
            end
        end
        for (k = 1; k < PAIRS; k = k + 1) begin : g_sum
            assign nodes[k] = nodes[2*k] + nodes[2*k+1];
        end
    endgenerate
    convert #(
        .FROM_WIDTH(WIDTH), .FROM_FRACTION(FRACTION), .TO_WIDTH(TO_WIDTH), .TO_FRACTION(TO_FRACTION),
        .ROUND(0), .SATURATE(SATURATE)
    ) narrow (.value(nodes[1]), .converted(converted));
endmodule

`resetall
