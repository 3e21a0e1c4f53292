// Sums become carry chains one by one. Left to itself, Yosys merges trees of sums into carry-save adders of
// logic, which are larger and slower on chips with hard carry chains.
(* techmap_celltype = "$add $sub" *)
module adders_to_carry_chains (A, B, Y);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    parameter _TECHMAP_CELLTYPE_ = "";

    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;

    wire [Y_WIDTH-1:0] unused_x, unused_carry;
    localparam SUBTRACT = _TECHMAP_CELLTYPE_ == "$sub";

    \$alu #(
        .A_SIGNED(A_SIGNED),
        .B_SIGNED(B_SIGNED),
        .A_WIDTH(A_WIDTH),
        .B_WIDTH(B_WIDTH),
        .Y_WIDTH(Y_WIDTH)
    ) _TECHMAP_REPLACE_ (
        .A(A), .B(B), .BI(SUBTRACT), .CI(SUBTRACT), .Y(Y), .X(unused_x), .CO(unused_carry)
    );
endmodule
