// Input frames (docs/fabric.md, "Frames") become vectors for the sequencer and one descriptor a frame for `axis_frame_out`.
//
// `v` is loaded at the edge at which the last beat of a vector is taken; while it waits, a second vector is taken into `later`. So
// `s_axis_tready` comes from registers alone, and no path goes from the core back to the stream. The vector of a STEP is passed on
// only if its frame ends where it should. A tick of the mailbox enters here too, between frames, so that both share one path.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module axis_frame_in #(
    parameter int FEATURES = 16,
    parameter int X_WIDTH = 8,
    parameter int X_FRACTION = 5,
    parameter int X_ROUND = 1,
    parameter int WIRE_FRACTION = 5,
    parameter int LANE = 8,
    parameter int BEATS = (FEATURES * LANE + 63) / 64
) (
    input  wire                        clk,
    input  wire                        rst,
    input  wire                        enable,
    input  wire                        owned,         // the stream has the lock
    input  wire [                63:0] s_axis_tdata,
    input  wire                        s_axis_tvalid,
    input  wire                        s_axis_tlast,
    output wire                        s_axis_tready,
    // a tick of the mailbox
    input  wire                        mail_valid,
    input  wire [        64*BEATS-1:0] mail_beats,
    output wire                        mail_ready,
    output wire                        mail_saturated,
    // vectors
    output reg                         v_valid,
    input  wire                        v_ready,
    output reg  [FEATURES*X_WIDTH-1:0] v,
    output reg                         v_step,        // a tick of the stream (else part of a window)
    output reg                         v_first,
    output reg                         v_inside,      // of a window, and not its first
    output reg                         v_answer,
    output reg                         v_wanted,      // a vector whose answer is wanted was taken in at the last edge
    output reg                         in_window,     // a WINDOW frame is under way
    output wire                        busy,          // a frame that ticks is under way, or its vector waits
    // a frame has ended
    output reg                         d_valid,
    output reg  [                 7:0] d_code,
    output reg  [                15:0] d_answers,
    output reg  [                31:0] d_sequence,
    output reg                         d_saturated,
    input  wire                        d_room         // a frame may begin
);
    localparam logic [7:0] STEP = 1, WINDOW = 2, SEQUENCE = 3;
    localparam logic [7:0] OK = 0, SHORT = 1, LONG = 2, KIND = 3, COUNT = 4, OWNER = 5, NOT_READY = 6;
    localparam logic [1:0] HEADER = 0, VECTORS = 1, DROP = 2;
    localparam int BEAT_BITS = BEATS > 1 ? $clog2(BEATS) : 1;

    reg [1:0] state;
    // of the frame under way, decided ahead because every ready hangs on them
    reg step_frame, window_frame, last_vector;
    reg [7:0] code;
    reg [15:0] vectors, number;
    reg [31:0] sequence_number;
    reg [BEAT_BITS-1:0] beat;
    reg saturated;
    reg [64*BEATS-1:0] parts;

    wire last_beat = beat == BEATS - 1;
    reg later_valid;
    reg [FEATURES*X_WIDTH-1:0] later;
    reg later_step, later_first, later_inside, later_answer;
    wire room = !later_valid;
    assign s_axis_tready = !rst && (state == HEADER ? d_room && !mail_valid
                                  : state == VECTORS ? !last_beat || room
                                  : 1'b1);
    wire taken = s_axis_tvalid && s_axis_tready;
    // a frame that is dropped does not keep the mailbox waiting
    assign mail_ready = state != VECTORS && room && !rst;
    wire mail_taken = mail_valid && mail_ready;
    assign busy = state == VECTORS || v_valid || d_valid;

    // ---- lanes
    wire [64*BEATS-1:0] beats;
    genvar k;
    generate
        for (k = 0; k < BEATS; k = k + 1) begin : g_beat
            assign beats[64*k+:64] = state != VECTORS ? mail_beats[64*k+:64]
                                   : beat == k ? s_axis_tdata : parts[64*k+:64];
            always @(posedge clk) if (taken && state == VECTORS && beat == k) parts[64*k+:64] <= s_axis_tdata;
        end
    endgenerate
    wire [FEATURES*X_WIDTH-1:0] converted;
    wire [FEATURES-1:0] too_large;
    generate
        for (k = 0; k < FEATURES; k = k + 1) begin : g_lane
            quantise_input #(
                .LANE(LANE), .WIRE_FRACTION(WIRE_FRACTION), .X_WIDTH(X_WIDTH), .X_FRACTION(X_FRACTION), .X_ROUND(X_ROUND)
            ) quantise (
                .value(beats[k*LANE+:LANE]), .converted(converted[k*X_WIDTH+:X_WIDTH]), .saturated(too_large[k])
            );
        end
    endgenerate

    assign mail_saturated = mail_taken && (|too_large);

    // ---- what the header says
    wire [7:0] new_kind = s_axis_tdata[7:0];
    wire [15:0] new_vectors = s_axis_tdata[31:16];
    wire bad_kind = new_kind != STEP && new_kind != WINDOW && new_kind != SEQUENCE;
    wire bad_count = new_vectors == 0 || (new_kind == STEP && new_vectors != 1);
    wire [7:0] verdict = !enable ? NOT_READY : !owned ? OWNER : bad_kind ? KIND : bad_count ? COUNT : OK;

    wire vector_ends = taken && state == VECTORS && last_beat;
    wire pass_on = vector_ends && (!step_frame || s_axis_tlast);
    wire answered = !window_frame || (last_vector && s_axis_tlast);
    wire [7:0] ending = !vector_ends || !last_vector ? SHORT : OK;

    // ---- two places for vectors
    wire comes = pass_on || mail_taken;
    wire is_step = mail_taken || !window_frame;
    wire is_first = !mail_taken && window_frame && number == 0;
    wire is_answered = mail_taken || answered;
    wire moves = v_ready || !v_valid;
    always @(posedge clk) begin
        v_wanted <= comes && is_answered && !rst;
        if (moves) begin
            v_valid <= later_valid || comes;
            v <= later_valid ? later : converted;
            v_step <= later_valid ? later_step : is_step;
            v_first <= later_valid ? later_first : is_first;
            v_inside <= later_valid ? later_inside : !is_step && !is_first;
            v_answer <= later_valid ? later_answer : is_answered;
        end
        later_valid <= !moves && (later_valid || comes);
        if (!later_valid) begin
            later <= converted;
            later_step <= is_step;
            later_first <= is_first;
            later_inside <= !is_step && !is_first;
            later_answer <= is_answered;
        end
        if (rst) begin
            v_valid <= 0;
            later_valid <= 0;
        end
    end

    always @(posedge clk) begin
        d_valid <= 0;
        if (taken) in_window <= !s_axis_tlast && (state == HEADER ? new_kind == WINDOW && verdict == OK
                                                 : in_window && !(vector_ends && last_vector));
        if (taken && state == HEADER) begin
            step_frame <= new_kind == STEP;
            window_frame <= new_kind == WINDOW;
            last_vector <= new_vectors == 1;
            vectors <= new_vectors;
            sequence_number <= s_axis_tdata[63:32];
            number <= 0;
            beat <= 0;
            saturated <= 0;
            code <= verdict;
            d_answers <= 0;
            state <= s_axis_tlast ? HEADER : verdict == OK ? VECTORS : DROP;
            if (s_axis_tlast) begin
                d_valid <= 1;
                d_code <= verdict == OK ? SHORT : verdict;
                d_sequence <= s_axis_tdata[63:32];
                d_saturated <= 0;
            end
        end
        if (taken && state == VECTORS) begin
            beat <= last_beat ? 0 : beat + 1'b1;
            if (vector_ends) begin
                number <= number + 1'b1;
                last_vector <= number + 16'd2 == vectors;
                saturated <= saturated || (|too_large);
                if (pass_on && answered) d_answers <= d_answers + 1'b1;
            end
            if (s_axis_tlast) begin
                state <= HEADER;
                d_valid <= 1;
                d_code <= ending;
                d_sequence <= sequence_number;
                d_saturated <= saturated || (vector_ends && (|too_large));
            end else if (vector_ends && last_vector) begin
                state <= DROP;
                code <= LONG;
            end
        end
        if (taken && state == DROP && s_axis_tlast) begin
            state <= HEADER;
            d_valid <= 1;
            d_code <= code;
            d_sequence <= sequence_number;
            d_saturated <= saturated;
        end
        if (rst) begin
            state <= HEADER;
            in_window <= 0;
            d_valid <= 0;
        end
    end
endmodule

`resetall
