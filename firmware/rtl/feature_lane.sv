// Logarithms of a feature's arguments, one a cycle, and its raw integer, three cycles later; twin of pyorch/features/arithmetic.py.
//
// An argument is |value| + addend if SOFT, else value + addend, at least 1 and at most 2^52 - 1; its logarithm is in 1/256 octave.
// `raw` of a mode: KEEP none, the logarithm is kept; ALONE the logarithm; DIFFERENCE the kept one less this; SOFT the logarithm less
// 256 knee, with the sign of the value; DIRECT the value itself; MICRO as DIFFERENCE, marked as the micro-price's ratio.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module feature_lane #(
    parameter int RAW_WIDTH = 32,
    parameter int INDEX_BITS = 4,
    parameter LOG_INIT = ""
) (
    input  wire                         clk,
    input  wire                         rst,
    input  wire                         in_valid,
    input  wire        [           2:0] in_mode,
    input  wire signed [          63:0] in_value,
    input  wire        [          52:0] in_addend,
    input  wire        [           5:0] in_knee,
    input  wire        [INDEX_BITS-1:0] in_index,
    input  wire                         in_last,
    output reg                          out_valid,
    output reg                          out_micro,
    output reg  signed [ RAW_WIDTH-1:0] raw,
    output reg         [INDEX_BITS-1:0] index,
    output reg                          last
);
    localparam logic [2:0] KEEP = 0, ALONE = 1, DIFFERENCE = 2, SOFT = 3, DIRECT = 4, MICRO = 5;
    localparam int STAGES = 2;

    // ---- what travels along
    reg valid[1:STAGES], ends[1:STAGES], negative[1:STAGES];
    reg [2:0] mode[1:STAGES];
    reg [5:0] knee[1:STAGES];
    reg [INDEX_BITS-1:0] place[1:STAGES];
    reg signed [RAW_WIDTH-1:0] direct[1:STAGES];
    integer k;
    always @(posedge clk) begin
        {valid[1], ends[1], negative[1]} <= {in_valid, in_last, in_value[63]};
        mode[1] <= in_mode;
        knee[1] <= in_knee;
        place[1] <= in_index;
        direct[1] <= in_value[RAW_WIDTH-1:0];
        for (k = 2; k <= STAGES; k = k + 1) begin
            {valid[k], ends[k], negative[k]} <= {valid[k-1], ends[k-1], negative[k-1]};
            mode[k] <= mode[k-1];
            knee[k] <= knee[k-1];
            place[k] <= place[k-1];
            direct[k] <= direct[k-1];
        end
        if (rst) for (k = 1; k <= STAGES; k = k + 1) valid[k] <= 0;
    end

    // ---- 1: the argument  2: its leading one, and what follows it
    wire turned = in_value[63] && in_mode == SOFT, lost = in_value[63] && in_mode != SOFT;
    wire [63:0] magnitude = lost ? 64'd0 : in_value ^ {64{turned}};  // less 1 if turned, which the sum adds
    wire [52:0] sum = {1'b0, magnitude[51:0]} + in_addend + turned;
    wire over = magnitude[63:52] != 0 || sum[52];
    wire nothing = magnitude[51:0] == 0 && in_addend == 0 && !turned;
    reg [51:0] argument;
    reg [5:0] octave;
    reg [7:0] mantissa;
    wire [7:0] fraction;
    wire [5:0] zeros;  // before the leading one
    wire [63:0] reversed;
    genvar b;
    generate
        for (b = 0; b < 64; b = b + 1) begin : g_reverse
            assign reversed[b] = b < 52 ? argument[b < 52 ? 51 - b : 0] : 1'b0;
        end
    endgenerate
    first_set #(.INDEX_BITS(6)) leading (.value(reversed), .any(), .index(zeros));
    constant_table #(.WIDTH(8), .INDEX_BITS(8), .INIT(LOG_INIT)) table_of_logarithms (.index(mantissa), .entry(fraction));
    // the eight bits behind the leading one, by the largest distance first: it is known first
    wire [51:0] by_32 = zeros[5] ? {argument[19:0], 32'd0} : argument;
    wire [51:0] by_16 = zeros[4] ? {by_32[35:0], 16'd0} : by_32;
    wire [23:0] by_8 = zeros[3] ? by_16[43:20] : by_16[51:28];
    wire [15:0] by_4 = zeros[2] ? by_8[19:4] : by_8[23:8];
    wire [11:0] by_2 = zeros[1] ? by_4[13:2] : by_4[15:4];
    wire [7:0] normal = zeros[0] ? by_2[9:2] : by_2[10:3];

    always @(posedge clk) begin
        argument <= (sum[51:0] | {52{over}}) | {51'd0, nothing};
        octave <= 6'd51 - zeros;
        mantissa <= normal;
    end

    // ---- 3: the raw integer
    wire signed [15:0] logarithm = {2'b00, octave, fraction};
    reg signed [15:0] kept;
    wire signed [15:0] difference = kept - logarithm;
    wire signed [15:0] compressed = logarithm - $signed({2'b00, knee[STAGES], 8'd0});
    wire signed [15:0] chosen = mode[STAGES] == ALONE ? logarithm : mode[STAGES] != SOFT ? difference : negative[STAGES] ? -compressed : compressed;
    always @(posedge clk) begin
        if (valid[STAGES] && mode[STAGES] == KEEP) kept <= logarithm;
        out_valid <= valid[STAGES] && mode[STAGES] != KEEP && mode[STAGES] != MICRO && !rst;
        out_micro <= valid[STAGES] && mode[STAGES] == MICRO && !rst;
        raw <= mode[STAGES] == DIRECT ? direct[STAGES] : chosen;
        index <= place[STAGES];
        last <= ends[STAGES];
    end
endmodule

`resetall
