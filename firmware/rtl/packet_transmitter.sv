// An answer onto the line: flag, header, payload from a buffer, CRC-32, flag; escaped (docs/serial.md, "Packets").
//
// `start` is a pulse that comes only while not `busy`; header and length are taken with it, the buffer must keep its content.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module packet_transmitter #(
    parameter int BYTES = 2048,
    parameter int ADDRESS_BITS = $clog2(BYTES)
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    start,
    input  wire [            39:0] header,         // session, sequence, status from bit 0
    input  wire [  ADDRESS_BITS:0] length,
    output wire                    busy,
    output wire [ADDRESS_BITS-1:0] read_address,
    input  wire [             7:0] read_data,
    output reg                     byte_valid,
    input  wire                    byte_ready,
    output reg  [             7:0] byte_value
);
    localparam [7:0] FLAG = 8'h7E, ESCAPE = 8'h7D, TOGGLE = 8'h20;
    localparam [2:0] IDLE = 0, OPEN = 1, HEADER = 2, PAYLOAD = 3, CHECK = 4, CLOSE = 5, LAST = 6;

    reg [2:0] state;
    reg [39:0] rest;
    reg [ADDRESS_BITS:0] place, ends;
    reg [2:0] count;
    reg [31:0] remainder;
    reg escaped, fetched;
    assign busy = state != IDLE;
    assign read_address = place[ADDRESS_BITS-1:0];

    wire [7:0] plain = state == PAYLOAD ? read_data : state == CHECK ? ~remainder[7:0] : rest[7:0];
    wire [31:0] next;
    crc32_byte check (.remainder(remainder), .value(plain), .next(next));
    wire special = plain == FLAG || plain == ESCAPE;
    wire room = !byte_valid || byte_ready;
    wire body = state == HEADER || state == CHECK || (state == PAYLOAD && fetched && place != ends);
    wire put = room && body;
    wire whole = put && (!special || escaped);  // the byte is complete: it needed no escape, or that is out

    always @(posedge clk) begin
        if (byte_ready) byte_valid <= 0;
        fetched <= 1;
        if (put) begin
            byte_valid <= 1;
            byte_value <= !special ? plain : escaped ? plain ^ TOGGLE : ESCAPE;
            escaped <= special && !escaped;
        end
        if (whole && state != CHECK) remainder <= next;
        case (state)
            IDLE:
            if (start) begin
                state <= OPEN;
                rest <= header;
                ends <= length;
                place <= 0;
                count <= 0;
                remainder <= 32'hFFFFFFFF;
                escaped <= 0;
            end
            OPEN:
            if (room) begin
                byte_valid <= 1;
                byte_value <= FLAG;
                state <= HEADER;
            end
            HEADER:
            if (whole) begin
                rest <= rest >> 8;
                count <= count + 1'b1;
                if (count == 4) begin
                    state <= PAYLOAD;
                    count <= 0;
                    fetched <= 0;
                end
            end
            PAYLOAD:
            if (place == ends) state <= CHECK;
            else if (whole) begin
                place <= place + 1'b1;
                fetched <= 0;
            end
            CHECK:
            if (whole) begin
                remainder <= {8'hFF, remainder[31:8]};
                count <= count + 1'b1;
                if (count == 3) state <= CLOSE;
            end
            CLOSE:
            if (room) begin
                byte_valid <= 1;
                byte_value <= FLAG;
                state <= LAST;
            end
            default: if (room) state <= IDLE;
        endcase
        if (rst) begin
            state <= IDLE;
            byte_valid <= 0;
        end
    end
endmodule

`resetall
