// A signed product in logic: pairs of partial products, a carry chain each (`gated_sum.sv`), added in a balanced tree.
//
// For products that find no multiplier block. MIDDLE: a register behind the pairs, OUTPUT: one of the product; `product` follows `a` and
// `b` by MIDDLE + OUTPUT cycles. The bits of `b`, the narrower factor, choose. Precondition: B_WIDTH >= 2.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module product_in_logic #(
    parameter int A_WIDTH = 12,
    parameter int B_WIDTH = 8,
    parameter int MIDDLE = 1,
    parameter int OUTPUT = 1
) (
    input  wire                              clk,
    input  wire signed [        A_WIDTH-1:0] a,
    input  wire signed [        B_WIDTH-1:0] b,
    output wire signed [A_WIDTH+B_WIDTH-1:0] product
);
    localparam int PAIRS = (B_WIDTH + 1) / 2;
    localparam int LEVELS = $clog2(PAIRS);
    localparam int PLACES = 1 << LEVELS;
    localparam int PAIR_WIDTH = A_WIDTH + 2;
    localparam int WIDTH = A_WIDTH + B_WIDTH;

    initial if (B_WIDTH < 2) $fatal(1, "product_in_logic: B_WIDTH >= 2");

    // Node k of the tree has the children 2k and 2k + 1; the binary point of each is that of its lowest pair.
    wire signed [WIDTH-1:0] nodes[1:2*PLACES-1];
    genvar k, level;
    generate
        for (k = 0; k < PLACES; k = k + 1) begin : g_pair
            if (k < PAIRS) begin : g_some
                localparam int LAST = k == PAIRS - 1 ? 1 : 0;
                localparam int TWO = 2 * k + 1 < B_WIDTH ? 1 : 0;
                wire signed [PAIR_WIDTH-1:0] once = a;
                wire signed [PAIR_WIDTH-1:0] twice = a <<< 1;
                wire [PAIR_WIDTH-1:0] pair;
                // the highest bit of b counts negative
                if (TWO != 0) begin : g_two
                    gated_sum #(.WIDTH(PAIR_WIDTH), .MINUS(LAST)) add (
                        .a_on(b[2*k+1]), .a(twice), .b_on(b[2*k]), .b(once), .sum(pair)
                    );
                end else begin : g_one
                    gated_sum #(.WIDTH(PAIR_WIDTH), .MINUS(LAST)) add (
                        .a_on(b[2*k]), .a(once), .b_on(1'b0), .b({PAIR_WIDTH{1'b0}}), .sum(pair)
                    );
                end
                wire signed [PAIR_WIDTH-1:0] held;
                stage #(.WIDTH(PAIR_WIDTH), .ON(MIDDLE)) hold (.clk(clk), .d(pair), .q(held));
                assign nodes[PLACES+k] = held;
            end else begin : g_none
                assign nodes[PLACES+k] = 0;
            end
        end
        for (level = 0; level < LEVELS; level = level + 1) begin : g_level
            // a node of this level is 1 << (LEVELS - level) pairs; its lower half passes the bits below the upper half
            localparam int LOW = 1 << (LEVELS - level);
            for (k = 1 << level; k < 2 << level; k = k + 1) begin : g_sum
                wire signed [WIDTH-1:0] upper = (nodes[2*k] >>> LOW) + nodes[2*k+1];
                assign nodes[k] = {upper[WIDTH-LOW-1:0], nodes[2*k][LOW-1:0]};
            end
        end
    endgenerate
    stage #(.WIDTH(WIDTH), .ON(OUTPUT)) hold_product (.clk(clk), .d(nodes[1]), .q(product));
endmodule

`resetall
