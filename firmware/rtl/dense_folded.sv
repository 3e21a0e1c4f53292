// A dense layer fed with chunks: UNITS * CHUNK multipliers, weights in block RAM.
//
// y follows the last chunk by 3 cycles. Vectors whose answer is not wanted are swallowed.
// Ports: docs/rtl.md, "Ports of a dense block". Memories: MEMORY weights (a word a chunk), + 1 biases (one word).
`resetall
`timescale 1ns / 1ps
`default_nettype none

module dense_folded #(
    parameter int INPUTS = 32,
    parameter int UNITS = 11,
    parameter int CHUNK = 4,
    parameter int BLOCKS = 256,  // inputs of a chunk whose products take multiplier blocks; those of the others are in logic
    parameter int H_WIDTH = 12,
    parameter int W_WIDTH = 8,
    parameter int B_WIDTH = 12,
    parameter int P_SHIFT = 0,  // from the binary point of x·W to the accumulator's
    parameter int B_SHIFT = 0,  // from that of the bias
    parameter int A_WIDTH = 24,
    parameter int A_FRACTION = 18,
    parameter int Y_WIDTH = 16,
    parameter int Y_FRACTION = 10,
    parameter int Y_ROUND = 1,
    parameter int Y_SATURATE = 1,
    parameter int RELU = 0,
    parameter logic [7:0] MEMORY = 0,
    parameter WEIGHT_INIT = "",
    parameter BIAS_INIT = ""
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     h_valid,
    input  wire                     h_last,
    input  wire [CHUNK*H_WIDTH-1:0] h,
    input  wire                     h_first,
    input  wire                     h_answer,
    output wire                     h_ready,
    output reg                      y_valid,
    input  wire                     y_ready,
    output reg  [UNITS*Y_WIDTH-1:0] y,
    output reg                      y_first,
    output wire                     y_answer,
    input  wire                     swap,
    output wire                     drained,
    output wire                     idle,
    input  wire                     load_write,
    input  wire [             31:0] load_address,
    input  wire [             31:0] load_data
);
    localparam int CHUNKS = (INPUTS + CHUNK - 1) / CHUNK;
    localparam int NUMBER_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1;

    reg bank;
    reg [1:0] primed;  // words on their way after a swap or a reset
    reg started;  // part of a vector has come
    reg m_valid, m_last, m_new, m_first, s_last, s_first;
    assign h_ready = (primed == 2) && !started && !m_valid && !s_last;
    assign drained = !h_valid && !started && !m_valid && !s_last && !y_valid;
    assign idle = drained && primed == 2;
    assign y_answer = 1'b1;

    // the word of the coming chunk waits in `weight`, that of the one after it at the memory's output
    wire push = h_valid && (started || h_ready);  // a dense layer before this one holds its y until h_ready
    wire finish = s_last && (!y_valid || y_ready);  // the sums stay until y is free
    wire fill = primed != 2;
    wire advance = push || fill;
    reg [NUMBER_BITS-1:0] address;
    wire [UNITS*CHUNK*W_WIDTH-1:0] word;
    reg [UNITS*CHUNK*W_WIDTH-1:0] weight;
    wire [UNITS*B_WIDTH-1:0] bias;
    bank_memory #(
        .WIDTH(UNITS * CHUNK * W_WIDTH), .DEPTH(CHUNKS), .MEMORY(MEMORY), .INIT(WEIGHT_INIT), .ADDRESS_BITS(NUMBER_BITS)
    ) weights (
        .clk(clk), .bank(bank), .advance(advance), .address(address), .word(word),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );
    bank_memory #(
        .WIDTH(UNITS * B_WIDTH), .DEPTH(1), .MEMORY(MEMORY + 8'd1), .INIT(BIAS_INIT), .ADDRESS_BITS(1)
    ) biases (
        .clk(clk), .bank(bank), .advance(1'b1), .address(1'b0), .word(bias),
        .load_write(load_write), .load_address(load_address), .load_data(load_data)
    );

    always @(posedge clk) begin
        if (fill) primed <= primed + 1'b1;
        if (advance) begin
            weight <= word;
            address <= address == CHUNKS - 1 ? 0 : address + 1'b1;
        end
        if (push) started <= !h_last;
        m_valid <= push && !rst;
        m_last <= h_last && h_answer;
        m_new <= !started;
        m_first <= h_first;
        if (m_valid || finish) begin
            s_last <= m_valid && m_last;
            s_first <= m_first;
        end
        if (finish) begin
            y_valid <= 1;
            y_first <= s_first;
        end else if (y_ready) y_valid <= 0;
        if (swap) bank <= !bank;
        if (swap || rst) begin
            primed <= 0;
            address <= 0;
        end
        if (rst) begin
            bank <= 0;
            s_last <= 0;
            started <= 0;
            y_valid <= 0;
        end
    end

    genvar unit, k;
    generate
        for (unit = 0; unit < UNITS; unit = unit + 1) begin : g_unit
            wire [CHUNK*A_WIDTH-1:0] products;
            for (k = 0; k < CHUNK; k = k + 1) begin : g_product
                localparam int LANE = unit * CHUNK + k;
                wire signed [H_WIDTH-1:0] value = h[k*H_WIDTH+:H_WIDTH];
                wire signed [W_WIDTH-1:0] factor = weight[LANE*W_WIDTH+:W_WIDTH];
                wire signed [H_WIDTH+W_WIDTH-1:0] product;
                multiply #(.A_WIDTH(H_WIDTH), .B_WIDTH(W_WIDTH), .INPUT(0), .BLOCK(k < BLOCKS ? 1 : 0)) factors (
                    .clk(clk), .a(value), .b(factor), .product(product)
                );
                wire signed [A_WIDTH-1:0] wide = product;
                assign products[k*A_WIDTH+:A_WIDTH] = wide <<< P_SHIFT;
            end
            wire signed [A_WIDTH-1:0] chunk_sum;
            sum_now #(.TERMS(CHUNK), .WIDTH(A_WIDTH)) add (.terms(products), .sum(chunk_sum));
            wire signed [A_WIDTH-1:0] offset = $signed(bias[unit*B_WIDTH+:B_WIDTH]);
            reg signed [A_WIDTH-1:0] sum;
            always @(posedge clk) if (m_valid) sum <= (m_new ? (offset <<< B_SHIFT) : sum) + chunk_sum;
            wire signed [A_WIDTH-1:0] active = (RELU != 0 && sum < 0) ? 0 : sum;
            wire [Y_WIDTH-1:0] converted;
            convert #(
                .FROM_WIDTH(A_WIDTH), .FROM_FRACTION(A_FRACTION), .TO_WIDTH(Y_WIDTH), .TO_FRACTION(Y_FRACTION),
                .ROUND(Y_ROUND), .SATURATE(Y_SATURATE)
            ) to_output (.value(active), .converted(converted));
            always @(posedge clk) if (finish) y[unit*Y_WIDTH+:Y_WIDTH] <= converted;
        end
    endgenerate
endmodule

`resetall
