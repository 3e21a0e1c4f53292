// The receive side of a PHY with four bits (MII): nibbles become the bytes behind the start delimiter.
//
// Any number of preamble nibbles but none will do. `ends` comes once for each carrier, when it has fallen, and says what it was. A carrier
// that is up when the reset ends is not looked at.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module mii_receive (
    input  wire       clk,          // of the PHY
    input  wire       rst,
    input  wire       rx_dv,
    input  wire       rx_er,
    input  wire [3:0] rx_d,
    output wire       byte_valid,
    output wire [7:0] byte_value,
    output wire       ends,
    output reg        started,      // with `ends`: a start delimiter was there
    output reg        bad,          // the PHY told of an error
    output wire       half          // a nibble is left over
);
    reg dv, er;
    reg [3:0] d, held;
    reg quiet;                      // no carrier since the reset
    reg carrier, refused, odd;

    wire first = !started && !refused;
    assign byte_valid = carrier && dv && started && odd;
    assign byte_value = {d, held};
    assign ends = carrier && !dv;
    assign half = odd;

    always @(posedge clk) begin
        {dv, er, d} <= {rx_dv, rx_er, rx_d};
        held <= dv ? d : 4'd0;
        if (!rx_dv) quiet <= 1;
        if (rx_dv && quiet) carrier <= 1;
        if (carrier && dv) begin
            if (er) bad <= 1;
            if (first && d == 4'hD && held == 4'h5) started <= 1;
            else if (first && d != 4'h5) refused <= 1;
            if (started) odd <= !odd;
        end
        if (ends) begin
            carrier <= rx_dv;
            {started, refused, bad, odd} <= 0;
        end
        if (rst) begin
            dv <= 0;
            quiet <= 0;
            {carrier, started, refused, bad, odd} <= 0;
        end
    end
endmodule

`resetall
