// The micro-price's distance from the mid in 1/256 half-tick: (spread * share[|ratio|]) >> 7, with the sign of the ratio; three
// cycles, then kept until the next.
//
// `ratio` = log2 of the bid's over the ask's lots in 1/256 octave. Twin of pyorch.features.arithmetic.micro_offset.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module micro_offset #(
    parameter MICRO_INIT = ""
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               in_valid,
    input  wire signed [15:0] ratio,
    input  wire        [20:0] spread,
    output reg                out_valid,
    output reg  signed [30:0] offset
);
    reg valid[1:2], negative[1:2];
    reg [10:0] index;
    wire [15:0] entry;
    reg [15:0] share;
    wire [36:0] product = share * spread;
    wire [15:0] size = ratio[15] ? -ratio : ratio;
    wire signed [37:0] way = negative[2] ? -$signed({1'b0, product}) : $signed({1'b0, product});
    constant_table #(.WIDTH(16), .INDEX_BITS(11), .INIT(MICRO_INIT)) shares (.index(index), .entry(entry));

    always @(posedge clk) begin
        {valid[1], valid[2]} <= {in_valid, valid[1]};
        {negative[1], negative[2]} <= {ratio[15], negative[1]};
        index <= size[15:11] != 0 ? 11'd2047 : size[10:0];
        share <= entry;
        if (valid[2]) offset <= way[37:7];
        out_valid <= valid[2] && !rst;
        if (rst) {valid[1], valid[2]} <= 0;
    end
endmodule

`resetall
