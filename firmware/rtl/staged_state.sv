// A state of the whole model, written beforehand by the host, then taken between two ticks: an element a cycle.
//
// Elements: {layer, cell (0 h, 1 c), unit}. `take` comes only when the core is drained; from the next cycle on `busy` is high while
// the elements go into the core, 1 + 2 * (units of all layers) cycles; the last one is written in the last of them. What was written stays
// for the next `take`; it is 0 at configuration. Otherwise the core's port shows the element at the host's place.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module staged_state #(
    parameter int LAYERS = 1,
    parameter logic [63:0] UNITS = 64'd32,  // of each LSTM layer, 16 bits from bit 0
    parameter int WIDTH = 32  // of the widest element
) (
    input  wire        clk,
    input  wire        rst,
    // the host
    input  wire [ 1:0] layer,
    input  wire        cell_state,
    input  wire [11:0] unit,
    output wire        there,             // there is such an element
    input  wire        write,             // pulse
    input  wire [31:0] data,
    input  wire        take,              // pulse
    output wire        busy,
    // the core
    output wire [ 3:0] state_layer,
    output wire        state_write,
    output wire [12:0] state_address,
    output wire [31:0] state_write_data
);
    initial if (LAYERS < 1 || LAYERS > 4) $fatal(1, "staged_state: 1 to 4 LSTM layers");

    // where the elements of a layer begin
    localparam int BASE_1 = 2 * UNITS[15:0];
    localparam int BASE_2 = BASE_1 + (LAYERS > 1 ? 2 * UNITS[31:16] : 0);
    localparam int BASE_3 = BASE_2 + (LAYERS > 2 ? 2 * UNITS[47:32] : 0);
    localparam int ELEMENTS = BASE_3 + (LAYERS > 3 ? 2 * UNITS[63:48] : 0);
    localparam int BITS = $clog2(ELEMENTS);

    wire [15:0] units = UNITS[16*layer+:16];
    wire [BITS-1:0] base = layer == 0 ? 0 : layer == 1 ? BASE_1 : layer == 2 ? BASE_2 : BASE_3;
    wire [BITS-1:0] index = base + (cell_state ? units : 16'd0) + unit;
    assign there = layer < LAYERS && unit < units;

    reg [WIDTH-1:0] elements[0:ELEMENTS-1];
    integer k;
    initial for (k = 0; k < ELEMENTS; k = k + 1) elements[k] = 0;

    reg walking, writing;
    reg [BITS-1:0] place;
    reg [1:0] at_layer, to_layer;
    reg at_cell, to_cell;
    reg [11:0] at_unit, to_unit;
    reg signed [WIDTH-1:0] element;
    wire [15:0] at_units = UNITS[16*at_layer+:16];
    wire last_unit = at_unit + 16'd1 == at_units;
    always @(posedge clk) begin
        if (write) elements[index] <= data[WIDTH-1:0];
        element <= elements[place];
        writing <= walking;
        to_layer <= at_layer;
        to_cell <= at_cell;
        to_unit <= at_unit;
        if (walking) begin
            place <= place + 1'b1;
            at_unit <= last_unit ? 0 : at_unit + 1'b1;
            if (last_unit) begin
                at_cell <= !at_cell;
                if (at_cell) begin
                    at_layer <= at_layer + 1'b1;
                    if (at_layer == LAYERS - 1) walking <= 0;
                end
            end
        end
        if (take) begin
            walking <= 1;
            place <= 0;
            at_layer <= 0;
            at_cell <= 0;
            at_unit <= 0;
        end
        if (rst) begin
            walking <= 0;
            writing <= 0;
        end
    end
    assign busy = walking || writing;
    assign state_write = writing;
    assign state_layer = {2'd0, busy ? to_layer : layer};
    assign state_address = busy ? {to_cell, to_unit} : {cell_state, unit};
    assign state_write_data = {{32{element[WIDTH-1]}}, element};
endmodule

`resetall
