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

    // ---- 1: the argument  2: its leading one, and the eight bits behind it
    wire turned = in_value[63] && in_mode == SOFT, lost = in_value[63] && in_mode != SOFT;
    wire [63:0] magnitude = lost ? 64'd0 : in_value ^ {64{turned}};  // less 1 if turned, which the sum adds
    wire [52:0] sum = {1'b0, magnitude[51:0]} + in_addend + turned;
    wire over = magnitude[63:52] != 0 || sum[52];
    wire nothing = magnitude[51:0] == 0 && in_addend == 0 && !turned;
    reg [51:0] argument;
    reg [5:0] octave;
    reg [7:0] mantissa;
    wire [7:0] fraction;
    // groups of four bits from the highest on: all look for a one at once, the first that has one gives its bits and the eight behind them
    localparam int GROUPS = 13;
    wire [GROUPS-1:0] some, first;
    wire [4*GROUPS+7:0] padded = {argument, 8'd0};
    reg [11:0] window;
    reg [3:0] group;  // from the lowest
    genvar g;
    integer n;
    generate
        for (g = 0; g < GROUPS; g = g + 1) begin : g_group
            assign some[g] = argument[4*g+:4] != 0;
            assign first[g] = some[g] && some >> (g + 1) == 0;
        end
    endgenerate
    always @* begin
        window = 0;
        group = 0;
        for (n = 0; n < GROUPS; n = n + 1) begin
            window = window | (padded[4*n+:12] & {12{first[n]}});
            group = group | (n[3:0] & {4{first[n]}});
        end
    end
    wire [7:0] normal = window[11] ? window[10:3] : window[10] ? window[9:2] : window[9] ? window[8:1] : window[7:0];
    wire [1:0] leading = window[11] ? 2'd3 : window[10] ? 2'd2 : {1'b0, window[9]};
    constant_table #(.WIDTH(8), .INDEX_BITS(8), .INIT(LOG_INIT)) table_of_logarithms (.index(mantissa), .entry(fraction));

    always @(posedge clk) begin
        argument <= (sum[51:0] | {52{over}}) | {51'd0, nothing};
        octave <= {group, leading};
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
