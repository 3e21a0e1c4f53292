// Gives vectors to the core, one tick after the other, and does between two ticks what may only be done there.
//
// Stateful models: vectors go straight through. Windowed models: `kept_window` keeps the last T - 1 vectors of ticks; when T vectors
// have gone into the state, T - 1 of the next window are advanced at once, so that a tick that comes later costs one step.
// `clear`, `swap` and `take` (of a staged state) act together at the next boundary between ticks, when the core is drained; vectors
// wait meanwhile. A WINDOW frame is one tick: `hold` and requests wait for its end.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module sequencer #(
    parameter int FEATURES = 16,
    parameter int X_WIDTH = 8,
    parameter int WINDOW = 20,  // T
    parameter int WINDOWED = 0,
    parameter int WIDTH = FEATURES * X_WIDTH
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             hold,
    input  wire             v_valid,
    output wire             v_ready,
    input  wire [WIDTH-1:0] v,
    input  wire             v_step,
    input  wire             v_first,
    input  wire             v_inside,       // of a window, and not its first
    input  wire             v_answer,
    input  wire             in_window,
    // the core
    output wire             x_valid,
    input  wire             x_ready,
    output wire [WIDTH-1:0] x,
    output wire             x_first,
    output wire             x_answer,
    input  wire             drained,
    input  wire             idle,
    output wire             clear,
    output wire             swap,
    // requests
    input  wire             want_clear,     // pulses
    input  wire             want_swap,
    input  wire             want_take,
    output wire             take,           // the staged state is to go into the core (stateful models)
    input  wire             taking,         // it is going
    output wire             swap_waits,     // asked for and not yet done
    output wire             take_waits,
    output wire             pending,
    output wire             acts,           // a request is carried out
    output wire             ready,          // all that can be done before the next tick is done, and it may come
    output wire             prepared,       // the same, whether or not it may come
    output wire             quiet,          // no vector is given to the core, and none is in it
    // the kept vectors (windowed models): the host reads the present ones and writes those that `take` brings
    input  wire [     15:0] kept_slot,
    input  wire [     11:0] kept_feature,
    output wire             kept_there,     // there is such a place
    output wire [     31:0] kept_value,     // while nothing is replayed, two cycles after the place
    input  wire             stage_write,    // pulse
    input  wire [     31:0] stage_value,
    output wire             stage_busy,     // a vector is not yet stored: no further write
    input  wire             stage_count_write,
    input  wire [     15:0] stage_count,
    output wire [     15:0] stored,
    output wire [     15:0] oldest
);
    reg must_clear, must_swap, must_take;
    wire replaying;
    assign swap_waits = must_swap;
    assign take_waits = must_take || taking;
    reg must;  // any of them: a register, for every vector waits for it
    assign pending = must || taking;
    reg opened;  // a vector of a WINDOW frame has been given, and not its last one
    wire mid_window = opened && (v_valid ? v_inside : in_window);
    wire blocked = (hold || pending) && !mid_window;
    assign acts = must && drained && !replaying && !taking && !mid_window;
    always @(posedge clk) begin
        if (v_valid && v_ready) opened <= !v_step && !v_answer;
        else if (acts || (!v_valid && !in_window)) opened <= 0;
        if (rst) opened <= 0;
    end
    assign clear = acts && must_clear;
    assign swap = acts && must_swap;
    assign take = acts && must_take;
    always @(posedge clk) begin
        if (acts) begin
            must_clear <= 0;
            must_swap <= 0;
            must_take <= 0;
        end
        if (want_clear) begin
            must_clear <= 1;
            must_take <= 0;  // a clear that is asked for later undoes it
        end
        if (want_swap) must_swap <= 1;
        if (want_take) must_take <= 1;
        must <= want_clear || want_swap || want_take || (must && !acts);
        if (rst) begin
            must_clear <= 0;
            must_swap <= 0;
            must_take <= 0;
            must <= 0;
        end
    end

    generate
        if (WINDOWED == 0) begin : g_stateful
            assign replaying = 0;
            assign x_valid = v_valid && !blocked;
            assign v_ready = x_ready && !blocked;
            assign x = v;
            assign x_first = v_first;
            assign x_answer = v_answer;
            assign prepared = idle && !taking;
            assign ready = prepared && !blocked;
            assign quiet = drained && !pending && !mid_window;
            assign {kept_there, kept_value, stage_busy, stored, oldest} = 0;
        end else begin : g_windowed
            wire fetched, begun, settled, due, empty;
            wire [WIDTH-1:0] vector;
            kept_window #(
                .FEATURES(FEATURES), .X_WIDTH(X_WIDTH), .WINDOW(WINDOW)
            ) window (
                .clk(clk), .rst(rst), .v(v), .keep(v_ready && v_step), .other(v_ready && !v_step),
                .go(due && !replaying && !pending && drained), .replaying(replaying), .fetched(fetched), .begun(begun),
                .vector(vector), .given(replaying && x_valid && x_ready), .settled(settled), .empty(empty),
                .clear(clear), .swap(swap), .take(take),
                .slot(kept_slot), .feature(kept_feature), .there(kept_there), .value(kept_value),
                .stage_write(stage_write), .stage_value(stage_value), .stage_busy(stage_busy),
                .stage_count_write(stage_count_write), .stage_count(stage_count), .stored(stored), .oldest(oldest)
            );
            // not inside a window; but a tick that came before the window's first vector needs its own, and so does a held
            // fabric whose next vector is that one: its host waits until all is done
            assign due = !settled && (v_valid ? v_step || (hold && v_first) : !in_window || (hold && !opened));
            wire give = v_valid && !replaying && (v_step ? settled : 1'b1) && !blocked;
            assign x_valid = replaying ? fetched : give;
            assign x = replaying ? vector : v;
            assign x_first = replaying ? !begun : v_step ? empty : v_first;
            assign x_answer = !replaying && v_answer;
            assign v_ready = give && x_ready;
            assign prepared = idle && !replaying && settled;
            assign ready = prepared && !blocked;
            assign quiet = drained && !pending && !replaying && settled && !mid_window;
        end
    endgenerate
endmodule

`resetall
