// Gives vectors to the core, one tick after the other, and does between two ticks what may only be done there.
//
// Stateful models: vectors go straight through. Windowed models: the last T - 1 vectors of ticks are kept; when T vectors have
// gone into the state, T - 1 of the next window are advanced at once, so that a tick that comes later costs one step.
// `clear` and `swap` act at the next boundary between ticks, when the core is drained; vectors wait meanwhile.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module sequencer #(
    parameter int WIDTH = 128,  // of a vector
    parameter int WINDOW = 20,  // T
    parameter int WINDOWED = 0
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             hold,
    input  wire             v_valid,
    output wire             v_ready,
    input  wire [WIDTH-1:0] v,
    input  wire             v_step,
    input  wire             v_first,
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
    input  wire             want_clear,  // pulse
    input  wire             want_swap,   // pulse
    output wire             pending,
    output wire             ready,       // all that can be done before the next tick is done, and it may come
    output wire             prepared,    // the same, whether or not it may come
    output wire             quiet        // no vector is given to the core, and none is in it
);
    reg must_clear, must_swap;
    wire replaying;
    assign pending = must_clear || must_swap;
    wire blocked = hold || pending;
    wire act = pending && drained && !replaying;
    assign clear = act && must_clear;
    assign swap = act && must_swap;
    always @(posedge clk) begin
        if (act) begin
            must_clear <= 0;
            must_swap <= 0;
        end
        if (want_clear) must_clear <= 1;
        if (want_swap) must_swap <= 1;
        if (rst) begin
            must_clear <= 0;
            must_swap <= 0;
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
            assign prepared = idle;
            assign ready = prepared && !blocked;
            assign quiet = drained && !pending;
        end else begin : g_windowed
            localparam int KEPT = WINDOW > 1 ? WINDOW - 1 : 1;
            localparam int BITS = KEPT > 1 ? $clog2(KEPT) : 1;
            reg [WIDTH-1:0] ring[0:KEPT-1];
            reg [BITS-1:0] newest, place;  // where the next vector goes; where the next replayed one is
            reg [BITS:0] stored, left;  // vectors in the ring; vectors yet to be replayed
            reg stale;  // the core's state is not that of the ring's vectors
            reg fetched;  // `vector` holds the one at `place`
            reg begun;  // the first vector of the replay has been given
            reg [WIDTH-1:0] vector;
            wire [BITS-1:0] oldest = stored == KEPT ? newest : 0;

            // not inside a window; but a tick that came before the window's first vector needs its own
            wire due = stale && (v_valid ? v_step : !in_window) && stored != 0 && WINDOW > 1;
            assign replaying = left != 0;
            wire go = due && !replaying && !pending && drained;
            wire settled = !stale || stored == 0 || WINDOW == 1;
            wire give = v_valid && !replaying && (v_step ? settled : 1'b1) && !blocked;
            assign x_valid = replaying ? fetched : give;
            assign x = replaying ? vector : v;
            assign x_first = replaying ? !begun : v_step ? stored == 0 || WINDOW == 1 : v_first;
            assign x_answer = !replaying && v_answer;
            assign v_ready = give && x_ready;
            assign prepared = idle && !replaying && settled;
            assign ready = prepared && !blocked;
            assign quiet = drained && !pending && !replaying && settled;
            wire keep = v_ready && v_step && WINDOW > 1;

            always @(posedge clk) begin
                vector <= ring[place];
                fetched <= replaying && !(x_valid && x_ready);
                if (v_ready && !v_step) stale <= 1;
                if (keep) begin
                    ring[newest] <= v;
                    newest <= newest == KEPT - 1 ? 0 : newest + 1'b1;
                    stale <= stored == KEPT;  // then one vector has left the window
                    if (stored != KEPT) stored <= stored + 1'b1;
                end
                if (go) begin
                    left <= stored;
                    place <= oldest;
                    begun <= 0;
                    fetched <= 0;
                    stale <= 0;
                end
                if (replaying && x_valid && x_ready) begin
                    left <= left - 1'b1;
                    begun <= 1;
                    place <= place == KEPT - 1 ? 0 : place + 1'b1;
                end
                if (swap) stale <= 1;
                if (clear) begin
                    stored <= 0;
                    newest <= 0;
                    stale <= 0;
                end
                if (rst) begin
                    newest <= 0;
                    stored <= 0;
                    left <= 0;
                    stale <= 0;
                    fetched <= 0;
                    begun <= 0;
                end
            end
        end
    endgenerate
endmodule

`resetall
