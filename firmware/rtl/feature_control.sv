// Order of work for features: takes what `price_book` shows, a row at a time; says when windows and averages catch up, add and hold, and
// which of the generated steps is issued. Twin of FeatureStream::apply and compute.
//
// A row that makes a tick goes: RUN until the last step's feature is written, GIVE until `out_ready`. A message of levels is begun with
// its first levels, while the book lists the others; if the book then proves void, `drop`. A row within a message of trades
// is only added. The row that makes the book void is given with `out_void`. Rows that change nothing are dropped. `now` is the largest local time of any row that the book took.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module feature_control #(
    parameter int FIRST_WINDOW = 0,   // the first step that reads windows
    parameter int FIRST_LEVEL = 0,    // the first step that reads the book's levels
    parameter int FIRST_AVERAGE = 0,  // the first step that reads averages
    parameter int FIRST_PASSED = 0,   // where a tick begins that leaves the book alone; it has no steps that read levels
    parameter int STEPS = 1,
    parameter int STEP_BITS = 5
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 row_taken,
    input  wire [         63:0] row_local_ns,
    input  wire                 in_best,         // the first levels are known; the row may be given later
    input  wire                 in_valid,
    output wire                 in_ready,
    input  wire [          2:0] in_kind,
    input  wire [          1:0] in_side,
    input  wire                 in_last,
    input  wire                 in_stale,
    input  wire                 in_own,
    input  wire [         31:0] in_number,
    input  wire [         63:0] in_local_ns,
    input  wire [         63:0] in_quantity_lots,
    input  wire                 quotable,        // the book is valid and two-sided
    output wire                 take,            // its first levels are read
    output wire                 follow,          // all its levels are, as they are now
    output wire                 drop,            // what is under way comes to nothing
    output wire                 shown,           // the tick is the book's
    output reg  [         63:0] now,
    output wire                 start,
    output wire                 clear,
    input  wire                 windows_busy,
    output wire                 add_changes,
    output wire                 add_trade,
    output reg  [          1:0] side,
    output reg  [         39:0] lots,
    output wire                 advance,
    input  wire                 averages_busy,
    input  wire                 micro_given,     // `micro` stands from the next cycle
    output wire                 begin_averages,
    output wire                 hold_averages,
    output wire                 step_on,
    output reg  [STEP_BITS-1:0] step,
    input  wire                 last_written,
    output wire                 out_valid,
    input  wire                 out_ready,
    output reg                  out_void,        // no tick: the book is not valid or two-sided any more
    output reg  [          2:0] out_kind,
    output reg  [         31:0] out_number,
    output reg  [         63:0] out_local_ns,
    output reg                  out_stale,
    output reg                  out_first        // of its segment: carried state begins anew
);
    localparam logic [2:0] DEPTH = 0, SNAPSHOT = 1, TRADE = 3, TIMER = 4, RESET = 6;
    localparam logic [1:0] IDLE = 0, RUN = 1, GIVE = 2;
    localparam logic [63:0] LIMIT = (64'd1 << 40) - 1;

    reg [1:0] state;
    reg [2:0] t;  // cycles of RUN so far, at most 7
    reg active, running, last, added, held, micro_known, confirmed, written;
    reg [63:0] latest;

    wire levels = in_kind == DEPTH || in_kind == SNAPSHOT || in_kind == RESET;
    wire begins_early = state == IDLE && in_best && in_own;
    wire confirms = state == RUN && !confirmed && in_valid;
    assign shown = out_kind == DEPTH || out_kind == SNAPSHOT;
    assign in_ready = !rst && (state == IDLE ? !begins_early : state == RUN && !confirmed);
    assign take = begins_early;
    assign follow = !confirmed;
    assign drop = confirms && !quotable;
    assign start = state == RUN && t == 0;
    assign clear = out_first;
    assign advance = start && running && last;  // else the next row may come before averages have caught up

    wire adds = state == RUN && !added && !windows_busy && t >= (shown ? 3'd4 : 3'd1);
    assign add_changes = adds && shown && !out_first;
    assign add_trade = adds && out_kind == TRADE;
    wire holds = state == RUN && !held && !averages_busy && t != 0 && (!shown || micro_known);
    assign begin_averages = holds && shown && !running;
    assign hold_averages = holds && shown;
    wire waits = (step == FIRST_WINDOW && !added) || (step == FIRST_LEVEL && !confirmed) || (step == FIRST_AVERAGE && !held);
    assign step_on = state == RUN && t != 0 && last && step != STEPS && !waits;
    assign out_valid = state == GIVE;

    always @(posedge clk) begin
        if (row_taken && $signed(row_local_ns) > $signed(latest)) latest <= row_local_ns;
        case (state)
            IDLE: begin
                t <= 0;
                {added, held, micro_known, written} <= 0;
                confirmed <= 0;
                if (in_own && (in_valid || begins_early)) begin
                    now <= latest;
                    side <= in_side;
                    last <= in_last;
                    lots <= in_quantity_lots[63] ? 40'd0 : in_quantity_lots > LIMIT ? LIMIT[39:0] : in_quantity_lots[39:0];
                    out_kind <= in_kind;
                    out_number <= in_number;
                    out_local_ns <= in_local_ns;
                    out_stale <= in_stale;
                    out_first <= begins_early && !active;
                    out_void <= !begins_early && levels;
                    step <= levels ? 0 : FIRST_PASSED;
                    confirmed <= !begins_early;
                    if (begins_early) state <= RUN;
                    else if (levels) begin
                        active <= 0;
                        running <= 0;
                        if (active) state <= GIVE;
                    end else if ((in_kind == TRADE || in_kind == TIMER) && active) state <= RUN;
                end
            end
            RUN: begin
                if (t != 7) t <= t + 1'b1;
                if (adds) added <= 1;
                if (micro_given) micro_known <= 1;
                if (holds) begin
                    held <= 1;
                    running <= 1;
                end
                if (step_on) step <= FIRST_PASSED != 0 && !shown && step + 1 == FIRST_LEVEL ? FIRST_AVERAGE : step + 1'b1;
                if (last_written) written <= 1;
                if ((last_written || written) && confirmed) state <= GIVE;
                else if (!last && added) state <= IDLE;
                if (confirms) begin
                    confirmed <= 1;
                    active <= quotable;
                    if (!quotable) begin
                        running <= 0;
                        out_void <= 1;
                        out_first <= 0;
                        state <= active ? GIVE : IDLE;
                    end
                end
            end
            default: if (out_ready) state <= IDLE;
        endcase
        if (rst) begin
            state <= IDLE;
            {active, running} <= 0;
            latest <= 64'h8000000000000000;
        end
    end
endmodule

`resetall
