// Which events a frame holds (docs/wire_events.md), read from its beats as they come: session, first number, the number that follows.
//
// Headers count once they are whole, as the decoder counts them; from a header that is none, or of another session, on nothing does.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module frame_outline #(
    parameter int INSTRUMENTS = 1
) (
    input  wire        clk,
    input  wire        restart,
    input  wire        beat_valid,
    input  wire [63:0] beat,
    output reg         known,        // a header was whole
    output reg  [ 3:0] session,
    output reg  [31:0] first,
    output reg  [31:0] following
);
    localparam logic [3:0] VERSION = 1, DEPTH = 0;

    wire plausible = beat[31:28] == VERSION && !beat[7] && !beat[3] && beat[23:16] != 0 && {1'b0, beat[15:8]} < INSTRUMENTS;
    reg stopped;
    reg [2:0] header_left;
    reg [8:0] rows_left;             // in beats
    reg [3:0] its_session;
    reg [31:0] number;
    wire [31:0] ahead = number - following;
    always @(posedge clk) begin
        if (beat_valid && !stopped) begin
            if (header_left != 0) begin
                header_left <= header_left - 1'b1;
                if (header_left == 1) begin
                    known <= 1;
                    if (!known) {session, first} <= {its_session, number};
                    if (!known || (its_session == session && !ahead[31])) following <= number + 1'b1;
                    if (known && its_session != session) stopped <= 1;
                end
            end else if (rows_left != 0) rows_left <= rows_left - 1'b1;
            else if (!plausible) stopped <= 1;
            else begin
                header_left <= beat[3:0] == DEPTH ? 3'd4 : 3'd3;
                rows_left <= beat[6] ? {beat[23:16], 1'b0} : {1'b0, beat[23:16]};
                {number, its_session} <= {beat[63:32], beat[27:24]};
            end
        end
        if (restart) begin
            {known, stopped} <= 0;
            header_left <= 0;
            rows_left <= 0;
        end
    end
endmodule

`resetall
