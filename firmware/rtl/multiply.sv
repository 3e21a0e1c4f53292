// A signed product with the registers of a multiplier block: of both factors (INPUT 1) and of the product (OUTPUT 1).
//
// `product` follows `a` and `b` by INPUT + OUTPUT cycles. With FABRIC_ECP5 and at most 18 bits a factor the block is named, since synthesis
// leaves such registers outside it; elsewhere the multiplication is found by synthesis. Factors lie at the upper end of the block's
// inputs: zeros below cost no wire, copies of a sign above would. BLOCK 0: in logic, where the register of the factors lies one step
// further in.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module multiply #(
    parameter int A_WIDTH = 12,
    parameter int B_WIDTH = 8,
    parameter int INPUT = 1,
    parameter int OUTPUT = 1,
    parameter int BLOCK = 1
) (
    input  wire                              clk,
    input  wire signed [        A_WIDTH-1:0] a,
    input  wire signed [        B_WIDTH-1:0] b,
    output wire signed [A_WIDTH+B_WIDTH-1:0] product
);
`ifdef FABRIC_ECP5
    localparam int NAMED = A_WIDTH <= 18 && B_WIDTH <= 18 ? 1 : 0;
`else
    localparam int NAMED = 0;
`endif
    generate
        if (BLOCK == 0) begin : g_logic
            product_in_logic #(.A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .MIDDLE(INPUT), .OUTPUT(OUTPUT)) logic_product (
                .clk(clk), .a(a), .b(b), .product(product)
            );
        end else if (NAMED != 0) begin : g_block
`ifdef FABRIC_ECP5
            wire [17:0] f = a << (18 - A_WIDTH);
            wire [17:0] g = b << (18 - B_WIDTH);
            wire [35:0] p;
            assign product = p[35-:A_WIDTH+B_WIDTH];
            MULT18X18D #(
                .REG_INPUTA_CLK(INPUT != 0 ? "CLK0" : "NONE"), .REG_INPUTB_CLK(INPUT != 0 ? "CLK0" : "NONE"),
                .REG_OUTPUT_CLK(OUTPUT != 0 ? "CLK0" : "NONE"), .GSR("DISABLED")
            ) block (
                .CLK0(clk), .CLK1(1'b0), .CLK2(1'b0), .CLK3(1'b0), .CE0(1'b1), .CE1(1'b1), .CE2(1'b1), .CE3(1'b1),
                .RST0(1'b0), .RST1(1'b0), .RST2(1'b0), .RST3(1'b0),
                .SIGNEDA(1'b1), .SIGNEDB(1'b1), .SOURCEA(1'b0), .SOURCEB(1'b0),
                .A0(f[0]), .A1(f[1]), .A2(f[2]), .A3(f[3]), .A4(f[4]), .A5(f[5]), .A6(f[6]), .A7(f[7]), .A8(f[8]),
                .A9(f[9]), .A10(f[10]), .A11(f[11]), .A12(f[12]), .A13(f[13]), .A14(f[14]), .A15(f[15]), .A16(f[16]),
                .A17(f[17]),
                .B0(g[0]), .B1(g[1]), .B2(g[2]), .B3(g[3]), .B4(g[4]), .B5(g[5]), .B6(g[6]), .B7(g[7]), .B8(g[8]),
                .B9(g[9]), .B10(g[10]), .B11(g[11]), .B12(g[12]), .B13(g[13]), .B14(g[14]), .B15(g[15]), .B16(g[16]),
                .B17(g[17]),
                .C0(1'b0), .C1(1'b0), .C2(1'b0), .C3(1'b0), .C4(1'b0), .C5(1'b0), .C6(1'b0), .C7(1'b0), .C8(1'b0),
                .C9(1'b0), .C10(1'b0), .C11(1'b0), .C12(1'b0), .C13(1'b0), .C14(1'b0), .C15(1'b0), .C16(1'b0),
                .C17(1'b0),
                .P0(p[0]), .P1(p[1]), .P2(p[2]), .P3(p[3]), .P4(p[4]), .P5(p[5]), .P6(p[6]), .P7(p[7]), .P8(p[8]),
                .P9(p[9]), .P10(p[10]), .P11(p[11]), .P12(p[12]), .P13(p[13]), .P14(p[14]), .P15(p[15]), .P16(p[16]),
                .P17(p[17]), .P18(p[18]), .P19(p[19]), .P20(p[20]), .P21(p[21]), .P22(p[22]), .P23(p[23]), .P24(p[24]),
                .P25(p[25]), .P26(p[26]), .P27(p[27]), .P28(p[28]), .P29(p[29]), .P30(p[30]), .P31(p[31]), .P32(p[32]),
                .P33(p[33]), .P34(p[34]), .P35(p[35])
            );
`endif
        end else begin : g_product
            wire signed [A_WIDTH-1:0] f;
            wire signed [B_WIDTH-1:0] g;
            stage #(.WIDTH(A_WIDTH), .ON(INPUT)) hold_a (.clk(clk), .d(a), .q(f));
            stage #(.WIDTH(B_WIDTH), .ON(INPUT)) hold_b (.clk(clk), .d(b), .q(g));
            wire signed [A_WIDTH+B_WIDTH-1:0] exact = f * g;
            stage #(.WIDTH(A_WIDTH + B_WIDTH), .ON(OUTPUT)) hold_product (.clk(clk), .d(exact), .q(product));
        end
    endgenerate
endmodule

`resetall
