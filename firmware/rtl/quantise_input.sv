// One input lane: the wire's raw integer becomes the model's input (`FixedFormat.convert`, saturating).
//
// The lane holds WIRE_FRACTION fractional bits. `saturated`: the value did not fit. Combinational.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module quantise_input #(
    parameter int LANE = 8,
    parameter int WIRE_FRACTION = 5,
    parameter int X_WIDTH = 8,
    parameter int X_FRACTION = 5,
    parameter int X_ROUND = 1
) (
    input  wire signed [   LANE-1:0] value,
    output wire signed [X_WIDTH-1:0] converted,
    output wire                      saturated
);
    localparam int UP = X_FRACTION > WIRE_FRACTION ? X_FRACTION - WIRE_FRACTION : 0;
    localparam int WIDE = (LANE + UP > X_WIDTH ? LANE + UP : X_WIDTH) + 2;

    wire signed [WIDE-1:0] scaled;
    convert #(
        .FROM_WIDTH(LANE), .FROM_FRACTION(WIRE_FRACTION), .TO_WIDTH(WIDE), .TO_FRACTION(X_FRACTION), .ROUND(X_ROUND),
        .SATURATE(0)
    ) scale (.value(value), .converted(scaled));
    assign saturated = !((&scaled[WIDE-1:X_WIDTH-1]) | ~(|scaled[WIDE-1:X_WIDTH-1]));
    wire [X_WIDTH-1:0] lowest = {1'b1, {(X_WIDTH - 1) {1'b0}}};
    assign converted = saturated ? (lowest ^ {X_WIDTH{~scaled[WIDE-1]}}) : scaled[X_WIDTH-1:0];
endmodule

`resetall
