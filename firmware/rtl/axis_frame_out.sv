// Answers and descriptors become result frames: the answers of a frame as they come, then its status beat with TLAST.
//
// Descriptors wait in a queue of DEPTH; `d_room` says that one more frame may begin. An answer belongs to the oldest frame without a
// status beat. The first beat of an answer is on m_axis in the cycle in which `y_valid` rises.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axis_frame_out #(
    parameter int OUTPUTS = 11,
    parameter int Y_WIDTH = 16,
    parameter int LANE = 16,
    parameter int DEPTH_BITS = 3,
    parameter int BEATS = (OUTPUTS * LANE + 63) / 64
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       active_set,
    input  wire                       y_valid,
    output wire                       y_ready,
    input  wire [OUTPUTS*Y_WIDTH-1:0] y,
    input  wire                       d_valid,
    input  wire [                7:0] d_code,
    input  wire [               15:0] d_answers,
    input  wire [               31:0] d_sequence,
    input  wire                       d_saturated,
    output reg                        d_room,
    output wire [               63:0] m_axis_tdata,
    output wire                       m_axis_tvalid,
    output wire                       m_axis_tlast,
    input  wire                       m_axis_tready,
    output wire                       began,         // the first beat of an answer is taken
    output wire                       bad            // a frame is answered with another code than OK
);
    localparam int DEPTH = 1 << DEPTH_BITS;
    localparam int BEAT_BITS = BEATS > 1 ? $clog2(BEATS) : 1;

    reg [56:0] queue[0:DEPTH-1];
    reg [DEPTH_BITS:0] head, tail;
    wire [DEPTH_BITS:0] waiting = tail - head;
    wire some = waiting != 0;
    wire saturated;
    wire [7:0] code;
    wire [15:0] answers;
    wire [31:0] sequence_number;
    assign {saturated, code, answers, sequence_number} = queue[head[DEPTH_BITS-1:0]];

    reg [BEAT_BITS-1:0] beat;
    reg [15:0] sent;
    reg answer_set;
    wire answering = y_valid && !(some && sent == answers);
    wire closing = some && sent == answers && beat == 0;
    wire last_beat = beat == BEATS - 1;
    wire taken = m_axis_tvalid && m_axis_tready;

    wire [64*BEATS-1:0] lanes;
    genvar k;
    generate
        for (k = 0; k < BEATS * 64 / LANE; k = k + 1) begin : g_lane
            if (k < OUTPUTS) begin : g_used
                wire signed [Y_WIDTH-1:0] value = y[k*Y_WIDTH+:Y_WIDTH];
                wire signed [LANE-1:0] wide = value;
                assign lanes[k*LANE+:LANE] = wide;
            end else begin : g_padding
                assign lanes[k*LANE+:LANE] = 0;
            end
        end
    endgenerate
    wire [63:0] status = {sequence_number, answers, 6'd0, saturated, answer_set, code};
    assign m_axis_tdata = closing ? status : lanes[64*beat+:64];
    assign m_axis_tvalid = answering || closing;
    assign m_axis_tlast = closing;
    assign y_ready = answering && last_beat && m_axis_tready;
    assign began = taken && answering && beat == 0;
    assign bad = taken && closing && code != 0;

    // a frame under way, and one whose descriptor is just written, each need a place; a register, for s_axis_tready hangs on it
    wire [DEPTH_BITS:0] waiting_next = waiting + d_valid - (taken && closing);
    always @(posedge clk) begin
        d_room <= rst || waiting_next < DEPTH - 2;
        if (d_valid) begin
            queue[tail[DEPTH_BITS-1:0]] <= {d_saturated, d_code, d_answers, d_sequence};
            tail <= tail + 1'b1;
        end
        if (taken && answering) begin
            beat <= last_beat ? 0 : beat + 1'b1;
            if (last_beat) sent <= sent + 1'b1;
            answer_set <= active_set;
        end
        if (taken && closing) begin
            head <= head + 1'b1;
            sent <= 0;
            answer_set <= active_set;
        end
        if (rst) begin
            head <= 0;
            tail <= 0;
            beat <= 0;
            sent <= 0;
            answer_set <= 0;
        end
    end
endmodule

`resetall
