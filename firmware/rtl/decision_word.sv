// Decisions, one at a time: runs the blocks behind the core for a tick, then gives its decision word (docs/wire_events.md, "Decision word").
//
// A tick waits in the queue of what the core cannot carry until its logits are there; `start` and `begins` in that cycle, `decide`
// DECIDE cycles later, the word's first beat in the cycle after it. The logits are taken with the word's last beat. Where the book
// became void there is no tick: a word without scores says so.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module decision_word #(
    parameter int OUTPUTS = 11,
    parameter int RULES = 8,
    parameter int DECIDE = 12
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire [         47:0] cycle,
    // the tick
    input  wire                 tick_valid,
    output wire                 tick_ready,
    input  wire                 tick_void,
    input  wire                 tick_first,
    input  wire                 tick_stale,
    input  wire                 tick_forward,   // the forward is above 0
    input  wire                 tick_set,       // of the policy
    input  wire                 tick_weights,   // weight set
    input  wire [          2:0] tick_kind,
    input  wire [          7:0] tick_instrument,
    input  wire [         31:0] tick_number,
    input  wire [         63:0] tick_local_ns,
    input  wire [         47:0] tick_cycle,     // when its last beat was taken
    // the core
    input  wire                 y_valid,
    output wire                 y_ready,
    // what decides
    output wire                 start,
    output wire                 begins,
    output wire                 decide,
    output wire                 counts,
    input  wire                 warm,
    input  wire                 model_valid,
    input  wire [    RULES-1:0] fired,
    input  wire [    RULES-1:0] active,
    input  wire [         19:0] extra_down_bp100,
    input  wire [         19:0] extra_up_bp100,
    input  wire [          6:0] size_down_percent,
    input  wire [          6:0] size_up_percent,
    input  wire [         31:0] forecast_bp100,
    input  wire [         63:0] model_digest,
    input  wire [         63:0] policy_digest,
    input  wire [OUTPUTS*32-1:0] scores,
    output wire                 m_axis_tvalid,
    input  wire                 m_axis_tready,
    output reg  [         63:0] m_axis_tdata,
    output wire                 m_axis_tlast
);
    localparam logic [3:0] VERSION = 1;
    localparam int HEAD = 7, BEATS = HEAD + (OUTPUTS + 1) / 2;
    localparam logic [1:0] IDLE = 0, RUN = 1, GIVE = 2;

    initial if (OUTPUTS > 16 || RULES > 16 || DECIDE < 3) $fatal(1, "decision_word: at most 16 outputs and 16 rules, DECIDE from 3");

    reg [1:0] state;
    reg [4:0] passed;  // cycles of RUN
    reg [3:0] beat;
    reg [47:0] given;  // when the word's first beat was
    assign begins = state == IDLE && tick_valid && !tick_void && y_valid;
    assign start = begins;
    assign decide = state == RUN && passed == DECIDE;
    reg forward;  // the tick stands long before it decides
    always @(posedge clk) forward <= tick_forward;
    assign counts = forward && model_valid && warm;
    assign m_axis_tvalid = state == GIVE;
    assign m_axis_tlast = beat == (tick_void ? HEAD - 1 : BEATS - 1);
    wire ends = m_axis_tvalid && m_axis_tready && m_axis_tlast;
    assign tick_ready = ends;
    assign y_ready = ends && !tick_void;

    wire [47:0] taking = cycle - tick_cycle;
    reg [15:0] latency;
    wire [15:0] fired_16 = fired, active_16 = active;
    wire [16*32-1:0] all_scores = scores;
    wire here = !tick_void;
    always @* begin
        case (beat)
            0: m_axis_tdata = {
                    VERSION, tick_set, tick_stale, tick_first, here && warm, here && model_valid, here && tick_forward,
                    here ? size_up_percent : 7'd100, here ? size_down_percent : 7'd100, here ? extra_up_bp100 : 20'd0,
                    here ? extra_down_bp100 : 20'd0
                };
            1: m_axis_tdata = {7'd0, tick_weights, here ? OUTPUTS[7:0] : 8'd0, tick_instrument, 5'd0, tick_kind, tick_number};
            2: m_axis_tdata = here ? {forecast_bp100, active_16, fired_16} : 64'd0;
            3: m_axis_tdata = tick_local_ns;
            4: m_axis_tdata = {latency, given};
            5: m_axis_tdata = model_digest;
            6: m_axis_tdata = policy_digest;
            default: m_axis_tdata = all_scores[64*(beat-HEAD)+:64];
        endcase
    end

    always @(posedge clk) begin
        case (state)
            IDLE: begin
                passed <= 1;
                beat <= 0;
                if (tick_valid && tick_void) state <= GIVE;
                else if (begins) state <= RUN;
            end
            RUN: begin
                passed <= passed + 1'b1;
                if (decide) state <= GIVE;
            end
            default: if (m_axis_tready) begin
                beat <= beat + 1'b1;
                if (m_axis_tlast) state <= IDLE;
            end
        endcase
        if (state != GIVE) begin
            given <= cycle + 1'b1;
            latency <= taking + 1'b1 > 48'hFFFF ? 16'hFFFF : taking[15:0] + 1'b1;
        end
        if (rst) state <= IDLE;
    end
endmodule

`resetall
