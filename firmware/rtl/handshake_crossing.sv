// One request at a time to another clock, and its answer back.
//
// `ask` with `request` begins one; `done` comes with `answer` once the other side has answered. There, `asked` stays high, with `asked_for`,
// until `answered` is high for a cycle with `answer_given`. Levels change sides through two registers; what they announce stands still.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module handshake_crossing #(
    parameter int REQUEST = 1,
    parameter int ANSWER = 1
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               ask,           // pulse, not while busy
    input  wire [REQUEST-1:0] request,
    output wire               busy,
    output wire               done,          // in the last cycle of `busy`
    output wire [ ANSWER-1:0] answer,
    input  wire               there_clk,
    input  wire               there_rst,
    output wire               asked,
    output wire [REQUEST-1:0] asked_for,
    input  wire               answered,
    input  wire [ ANSWER-1:0] answer_given
);
    reg asking, answering;  // they differ while a request is under way
    reg [REQUEST-1:0] held_request;
    reg [ANSWER-1:0] held_answer;
    wire ask_seen, answer_seen;
    reg under_way;
    synchroniser to_there (.clk(there_clk), .rst(there_rst), .d(asking), .q(ask_seen));
    synchroniser to_here (.clk(clk), .rst(rst), .d(answering), .q(answer_seen));

    assign busy = under_way;
    assign done = under_way && answer_seen == asking;
    assign answer = held_answer;
    always @(posedge clk) begin
        if (ask) begin
            asking <= !asking;
            held_request <= request;
            under_way <= 1;
        end else if (done) under_way <= 0;
        if (rst) begin
            asking <= 0;
            under_way <= 0;
        end
    end

    assign asked = ask_seen != answering;
    assign asked_for = held_request;
    always @(posedge there_clk) begin
        if (asked && answered) begin
            answering <= ask_seen;
            held_answer <= answer_given;
        end
        if (there_rst) answering <= 0;
    end
endmodule

`resetall
