// h and c of every instrument in memory; the core has one instrument's, and is given another's when a tick needs it.
//
// While `wanted`, `ready` says that the core has the state of `instrument`. If it has another's, and is drained, that one is saved,
// 2 * (units of all layers) + READ cycles, and this one's loaded, as many and one; a tick that begins from zero state needs no load.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module instrument_states #(
    parameter int INSTRUMENTS = 2,
    parameter int LAYERS = 1,
    parameter logic [63:0] UNITS = 64'd32,  // of each LSTM layer, 16 bits from bit 0
    parameter int WIDTH = 32,  // of the widest element
    parameter int READ = 3,    // cycles from an address to its element
    parameter int BITS = $clog2(INSTRUMENTS)
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            wanted,
    input  wire [BITS-1:0] instrument,
    input  wire            first,            // the tick begins from zero state
    output wire            ready,
    input  wire            drained,
    output wire [     3:0] state_layer,
    output wire            state_write,
    output wire [    12:0] state_address,
    output wire [    31:0] state_write_data,
    input  wire [    31:0] state_read_data
);
    initial if (LAYERS < 1 || LAYERS > 4) $fatal(1, "instrument_states: 1 to 4 LSTM layers");

    localparam int ELEMENTS = 2 * (UNITS[15:0] + (LAYERS > 1 ? UNITS[31:16] : 0) + (LAYERS > 2 ? UNITS[47:32] : 0)
                                   + (LAYERS > 3 ? UNITS[63:48] : 0));
    localparam int PLACE_BITS = $clog2(ELEMENTS);
    localparam logic [1:0] HAS = 0, SAVE = 1, LOAD = 2;

    (* ram_style = "block" *) reg [WIDTH-1:0] elements[0:(1<<(BITS+PLACE_BITS))-1];
    reg [1:0] state;
    reg [BITS-1:0] loaded;
    reg any;  // the core has somebody's state
    // ---- the element at hand: a place, and the same as layer, cell and unit
    reg walking;
    reg [PLACE_BITS-1:0] place;
    reg [1:0] layer;
    reg cell_state;
    reg [11:0] unit;
    wire [15:0] units = UNITS[16*layer+:16];
    wire last_unit = unit + 16'd1 == units;
    wire last = last_unit && cell_state && layer == LAYERS - 1;
    // ---- saved READ cycles after its address, loaded one after its place
    reg [READ-1:0] saving;
    reg [READ*PLACE_BITS-1:0] saved_places;
    reg loading;
    reg [1:0] to_layer;
    reg [12:0] to_address;
    reg signed [WIDTH-1:0] element;

    assign ready = state == HAS && any && loaded == instrument;
    assign state_write = loading;
    assign state_layer = {2'd0, loading ? to_layer : layer};
    assign state_address = loading ? to_address : {cell_state, unit};
    assign state_write_data = {{32{element[WIDTH-1]}}, element};

    always @(posedge clk) begin
        saving <= {saving, walking && state == SAVE};
        saved_places <= {saved_places, place};
        if (saving[READ-1]) elements[{loaded, saved_places[(READ-1)*PLACE_BITS+:PLACE_BITS]}] <= state_read_data[WIDTH-1:0];
        element <= elements[{instrument, place}];
        loading <= walking && state == LOAD;
        to_layer <= layer;
        to_address <= {cell_state, unit};
        if (walking) begin
            place <= place + 1'b1;
            unit <= last_unit ? 0 : unit + 1'b1;
            if (last_unit) begin
                cell_state <= !cell_state;
                if (cell_state) layer <= layer + 1'b1;
            end
            if (last) walking <= 0;
        end
        case (state)
            HAS: if (wanted && !ready && drained) begin
                walking <= any;
                if (any) state <= SAVE;
                else begin  // nothing to save, and every instrument begins from zero state
                    any <= 1;
                    loaded <= instrument;
                end
                {place, layer, cell_state, unit} <= 0;
            end
            SAVE: if (!walking && saving == 0) begin
                {place, layer, cell_state, unit} <= 0;
                loaded <= instrument;
                walking <= !first;
                state <= first ? HAS : LOAD;
            end
            default: if (!walking && !loading) state <= HAS;
        endcase
        if (rst) begin
            state <= HAS;
            {any, walking, loading} <= 0;
            saving <= 0;
        end
    end
endmodule

`resetall
