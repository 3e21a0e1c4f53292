// The receive side of a gigabit PHY (RGMII) behind the board's registers for both edges: the bytes behind the start delimiter.
//
// `ends` comes once for each carrier, when it has fallen, and says what it was. A carrier that is up when the reset ends is not looked at.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module rgmii_receive (
    input  wire       clk,          // of the PHY, 125 MHz
    input  wire       rst,
    input  wire       ctl_rise,     // carrier
    input  wire       ctl_fall,     // differs from it: an error
    input  wire [3:0] d_rise,
    input  wire [3:0] d_fall,
    output wire       byte_valid,
    output wire [7:0] byte_value,
    output wire       ends,
    output reg        started,      // with `ends`: a start delimiter was there
    output reg        bad,          // the PHY told of an error
    output wire       half          // never: bytes come whole
);
    reg dv, er;
    reg [7:0] d;
    reg quiet, carrier, refused;

    assign byte_valid = carrier && dv && started;
    assign byte_value = d;
    assign ends = carrier && !dv;
    assign half = 0;

    always @(posedge clk) begin
        {dv, er, d} <= {ctl_rise, ctl_rise ^ ctl_fall, d_fall, d_rise};
        if (!ctl_rise) quiet <= 1;
        if (ctl_rise && quiet) carrier <= 1;
        if (carrier && dv) begin
            if (er) bad <= 1;
            if (!started && !refused) begin
                if (d == 8'hD5) started <= 1;
                else if (d != 8'h55) refused <= 1;
            end
        end
        if (ends) begin
            carrier <= ctl_rise;
            {started, refused, bad} <= 0;
        end
        if (rst) begin
            dv <= 0;
            quiet <= 0;
            {carrier, started, refused, bad} <= 0;
        end
    end
endmodule

`resetall
