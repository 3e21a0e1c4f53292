// One of everything that becomes a primitive of the part: what is inferred from this is compared with this.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module cells_bench (
    input  wire         clk,
    input  wire [127:0] in,
    output wire [255:0] out
);
    // one port writes, one reads: 9, 36 and 1 bits wide, with contents
    memory #(.WIDTH(9), .DEPTH(2048)) nine (
        .clk(clk), .write(in[0]), .read(in[1]), .write_address(in[12:2]), .address(in[23:13]), .data(in[32:24]), .word(out[8:0])
    );
    memory #(.WIDTH(36), .DEPTH(512), .CONTENT("wide.hex")) wide (
        .clk(clk), .write(in[0]), .read(in[1]), .write_address(in[10:2]), .address(in[21:13]), .data(in[59:24]), .word(out[44:9])
    );
    memory #(.WIDTH(1), .DEPTH(16384), .CONTENT("bits.hex")) bits (
        .clk(clk), .write(in[0]), .read(in[1]), .write_address({in[4:2], in[70:60]}), .address({in[15:13], in[70:60]}), .data(in[24]),
        .word(out[45])
    );
    memory #(.WIDTH(4), .DEPTH(4096), .CONTENT("four.hex")) four (
        .clk(clk), .write(in[0]), .read(in[1]), .write_address(in[13:2]), .address(in[25:14]), .data(in[33:30]), .word(out[49:46])
    );
    // lanes of 32 bits written alone, as weights are loaded
    lanes two_lanes (
        .clk(clk), .write(in[1:0]), .write_address(in[11:2]), .address(in[21:12]), .data(in[53:22]), .word(out[113:50])
    );
    // sixteen words in look-up tables
    sixteen lut_ram (
        .clk(clk), .write(in[0]), .write_address(in[5:2]), .address(in[9:6]), .data(in[13:10]), .word(out[117:114])
    );
    // products
    assign out[153:118] = $signed(in[17:0]) * $signed(in[35:18]);
    assign out[189:154] = in[53:36] * in[71:54];
    product registered (.clk(clk), .enable(in[0]), .reset(in[127]), .a(in[89:72]), .b(in[107:90]), .p(out[225:190]));
    // a counter with a reset that sets, and sums
    reg [15:0] count = 16'h8001;
    always @(posedge clk)
        if (in[126]) count <= 16'h8001;
        else if (in[2]) count <= count + in[18:3];
    assign out[241:226] = count;
    wire [15:0] chosen = in[20] ? in[40:25] : in[60:45] - in[40:25];
    assign out[255:242] = {^in[19:0], in[31:16] < in[47:32], &in[9:4], chosen[10:0]};
endmodule

module memory #(
    parameter WIDTH = 9,
    parameter DEPTH = 2048,
    parameter CONTENT = "nine.hex"
) (
    input  wire clk, write, read,
    input  wire [$clog2(DEPTH)-1:0] write_address, address,
    input  wire [WIDTH-1:0] data,
    output reg  [WIDTH-1:0] word
);
    (* ram_style = "block" *)
    reg [WIDTH-1:0] content[0:DEPTH-1];
    initial $readmemh(CONTENT, content);
    // what is read while it is written is not used: the read word is taken as 0
    reg hidden = 0;
    reg [WIDTH-1:0] raw = 0;
    always @(posedge clk) begin
        if (write) content[write_address] <= data;
        if (read) raw <= content[address];
        if (read) hidden <= write && write_address == address;
    end
    always @(*) word = hidden ? 0 : raw;
endmodule

module lanes (
    input  wire clk,
    input  wire [1:0] write,
    input  wire [9:0] write_address, address,
    input  wire [31:0] data,
    output wire [63:0] word
);
    (* ram_style = "block" *)
    reg [63:0] content[0:1023];
    reg [63:0] raw;
    reg hidden = 0;
    integer k;
    initial $readmemh("lanes.hex", content);
    always @(posedge clk) begin
        for (k = 0; k < 2; k = k + 1) if (write[k]) content[write_address][32*k+:32] <= data;
        raw <= content[address];
        hidden <= write != 0 && write_address == address;
    end
    assign word = hidden ? 0 : raw;
endmodule

module sixteen (
    input  wire clk, write,
    input  wire [3:0] write_address, address, data,
    output wire [3:0] word
);
`ifdef PRIMITIVES
    TRELLIS_DPR16X4 #(.WCKMUX("WCK"), .WREMUX("WRE"), .INITVAL(64'h0123456789ABCDEF)) cell_ (
        .WCK(clk), .WRE(write), .WAD(write_address), .DI(data), .RAD(address), .DO(word)
    );
`else
    reg [3:0] content[0:15];
    integer k;
    initial for (k = 0; k < 16; k = k + 1) content[k] = 15 - k;
    always @(posedge clk) if (write) content[write_address] <= data;
    assign word = content[address];
`endif
endmodule

// 18 x 18 bits, signed, with registers at the inputs, in the middle and at the output
module product (
    input  wire clk, enable, reset,
    input  wire signed [17:0] a, b,
    output wire [35:0] p
);
`ifdef PRIMITIVES
    wire [17:0] x = a, y = b;
    MULT18X18D #(
        .REG_INPUTA_CLK("CLK0"), .REG_INPUTB_CLK("CLK0"), .REG_PIPELINE_CLK("CLK0"), .REG_OUTPUT_CLK("CLK0")
    ) cell_ (
        .CLK0(clk), .CE0(enable), .RST0(reset), .SIGNEDA(1'b1), .SIGNEDB(1'b1), .SOURCEA(1'b0), .SOURCEB(1'b0),
`define BIT(k) .A``k(x[k]), .B``k(y[k])
        `BIT(0), `BIT(1), `BIT(2), `BIT(3), `BIT(4), `BIT(5), `BIT(6), `BIT(7), `BIT(8), `BIT(9), `BIT(10), `BIT(11),
        `BIT(12), `BIT(13), `BIT(14), `BIT(15), `BIT(16), `BIT(17),
`define OUT(k) .P``k(p[k])
        `OUT(0), `OUT(1), `OUT(2), `OUT(3), `OUT(4), `OUT(5), `OUT(6), `OUT(7), `OUT(8), `OUT(9), `OUT(10), `OUT(11),
        `OUT(12), `OUT(13), `OUT(14), `OUT(15), `OUT(16), `OUT(17), `OUT(18), `OUT(19), `OUT(20), `OUT(21), `OUT(22),
        `OUT(23), `OUT(24), `OUT(25), `OUT(26), `OUT(27), `OUT(28), `OUT(29), `OUT(30), `OUT(31), `OUT(32), `OUT(33),
        `OUT(34), `OUT(35)
    );
`else
    reg signed [17:0] held_a = 0, held_b = 0;
    reg signed [35:0] middle = 0, result = 0;
    always @(posedge clk)
        if (reset) begin
            held_a <= 0;
            held_b <= 0;
            middle <= 0;
            result <= 0;
        end else if (enable) begin
            held_a <= a;
            held_b <= b;
            middle <= held_a * held_b;
            result <= middle;
        end
    assign p = result;
`endif
endmodule

`resetall
