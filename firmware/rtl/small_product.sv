// a * b of small numbers in logic, converted as by `convert`: partial products in a balanced tree, half an LSB among them.
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

    // node k of the tree has the children 2k and 2k + 1; the leaves are PLACES to 2 * PLACES - 1
    wire signed [WIDTH-1:0] nodes[1:2*PLACES-1];
    wire signed [WIDTH-1:0] wide = b;
    genvar k;
    generate
        for (k = 0; k < PLACES; k = k + 1) begin : g_leaf
            if (k < A_WIDTH) begin : g_bit
                assign nodes[PLACES+k] = a[k] ? wide <<< k : {WIDTH{1'b0}};
            end else begin : g_half
                assign nodes[PLACES+k] = k == A_WIDTH ? HALF : 0;
            end
        end
        for (k = 1; k < PLACES; k = k + 1) begin : g_sum
            assign nodes[k] = nodes[2*k] + nodes[2*k+1];
        end
    endgenerate
    convert #(
        .FROM_WIDTH(WIDTH), .FROM_FRACTION(FRACTION), .TO_WIDTH(TO_WIDTH), .TO_FRACTION(TO_FRACTION),
        .ROUND(0), .SATURATE(SATURATE)
    ) narrow (.value(nodes[1]), .converted(converted));
endmodule

`resetall
