// COPIES registers of the same value, for loads in different places: `q` is `d` of the cycle before, COPIES times.
//
// With FABRIC_ECP5 the registers are named cells, since synthesis makes one of equal ones.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module copies #(
    parameter int WIDTH = 1,
    parameter int COPIES = 2
) (
    input  wire                    clk,
    input  wire [       WIDTH-1:0] d,
    output wire [COPIES*WIDTH-1:0] q
);
    genvar k, bit_number;
    generate
        for (k = 0; k < COPIES; k = k + 1) begin : g_copy
`ifdef FABRIC_ECP5
            for (bit_number = 0; bit_number < WIDTH; bit_number = bit_number + 1) begin : g_bit
                TRELLIS_FF #(
                    .GSR("DISABLED"), .CEMUX("1"), .CLKMUX("CLK"), .LSRMUX("LSR"), .REGSET("RESET")
                ) one (
                    .CLK(clk), .LSR(1'b0), .DI(d[bit_number]), .Q(q[k*WIDTH+bit_number])
                );
            end
`else
            reg [WIDTH-1:0] held;
            always @(posedge clk) held <= d;
            assign q[k*WIDTH+:WIDTH] = held;
`endif
        end
    endgenerate
endmodule

`resetall
