// Chunks become whole vectors with valid and ready: the x port of the next LSTM layer, or the answer of a model that ends in one.
//
// SWALLOW 1: vectors whose answer is not wanted are dropped. `y_valid` follows the last chunk by one cycle.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module gather #(
    parameter int COUNT = 32,
    parameter int CHUNK = 4,
    parameter int WIDTH = 8,
    parameter int SWALLOW = 0
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   h_valid,
    input  wire                   h_last,
    input  wire [CHUNK*WIDTH-1:0] h,
    input  wire                   h_first,
    input  wire                   h_answer,
    output wire                   h_ready,
    output reg                    y_valid,
    input  wire                   y_ready,
    output wire [COUNT*WIDTH-1:0] y,
    output reg                    y_first,
    output reg                    y_answer,
    output wire                   drained
);
    localparam int CHUNKS = (COUNT + CHUNK - 1) / CHUNK;
    localparam int NUMBER_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1;

    reg [NUMBER_BITS-1:0] number;
    reg started;
    wire keep = SWALLOW == 0 || h_answer;
    assign h_ready = !started && !y_valid;
    assign drained = !started && !y_valid && !h_valid;
    always @(posedge clk) begin
        if (y_ready) y_valid <= 0;
        if (h_valid) begin
            number <= h_last ? 0 : number + 1'b1;
            started <= !h_last;
            if (h_last) begin
                y_valid <= keep;
                y_first <= h_first;
                y_answer <= h_answer;
            end
        end
        if (rst) begin
            number <= 0;
            started <= 0;
            y_valid <= 0;
        end
    end
    reg [CHUNKS*CHUNK*WIDTH-1:0] values;
    genvar k;
    generate
        for (k = 0; k < CHUNKS; k = k + 1) begin : g_chunk
            always @(posedge clk) if (h_valid && number == k) values[k*CHUNK*WIDTH+:CHUNK*WIDTH] <= h;
        end
    endgenerate
    assign y = values[COUNT*WIDTH-1:0];
endmodule

`resetall
