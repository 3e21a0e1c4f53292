// Bytes from the line become requests (docs/serial.md, "Packets"): unescaped, checked, held in a buffer until released.
//
// A packet is what lies between two flags; flags may be shared, and nothing between them is nothing. The body is a header
// (session, sequence, kind), a payload and the CRC-32 of both. `request` stays high until `release_request`; the payload lies
// in the buffer from byte HEADER to before `ends`. What comes meanwhile is dropped and counted: its sender repeats it.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module packet_receiver #(
    parameter int BYTES = 2048,
    parameter int ADDRESS_BITS = $clog2(BYTES)
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    byte_valid,
    input  wire                    byte_bad,
    input  wire [             7:0] byte_value,
    output reg                     request,
    output wire [            15:0] session,
    output wire [            15:0] sequence_number,
    output wire [             7:0] kind,
    output reg  [  ADDRESS_BITS:0] ends,
    input  wire                    release_request,
    input  wire [ADDRESS_BITS-1:0] read_address,
    output wire [             7:0] read_data,
    // pulses at the end of a packet, exactly one of them; `bad_byte` whenever a byte has no stop bit
    output reg                     accepted,
    output reg                     damaged,     // wrong CRC, too short, or a byte was bad
    output reg                     too_long,
    output reg                     dropped,
    output reg                     bad_byte
);
    localparam int HEADER = 5, CHECK = 4;
    localparam [7:0] FLAG = 8'h7E, ESCAPE = 8'h7D, TOGGLE = 8'h20;

    reg [39:0] header;
    reg [ADDRESS_BITS:0] count;
    reg some, escaped, broken, full, ignored;
    reg [31:0] remainder;
    wire [7:0] plain = escaped ? byte_value ^ TOGGLE : byte_value;
    wire [31:0] next;
    crc32_byte check (.remainder(remainder), .value(plain), .next(next));

    wire is_flag = byte_valid && !byte_bad && byte_value == FLAG;
    wire is_escape = byte_valid && !byte_bad && byte_value == ESCAPE;
    wire is_data = byte_valid && !byte_bad && !is_flag && !is_escape;
    wire drop = some ? ignored : request;
    wire store = is_data && !drop && count != BYTES;
    byte_buffer #(.BYTES(BYTES)) buffer (
        .clk(clk), .write(store), .write_address(count[ADDRESS_BITS-1:0]), .write_data(plain),
        .read_address(read_address), .read_data(read_data)
    );
    assign {kind, sequence_number, session} = header;
    wire right = remainder == 32'hDEBB20E3 && count >= HEADER + CHECK && !escaped && !broken;

    always @(posedge clk) begin
        accepted <= 0;
        damaged <= 0;
        too_long <= 0;
        dropped <= 0;
        bad_byte <= byte_valid && byte_bad;
        if (release_request) request <= 0;
        if (byte_valid && !is_flag) begin
            some <= 1;
            if (!some) ignored <= request;
        end
        if (byte_valid && byte_bad) broken <= 1;
        if (is_escape) begin
            escaped <= 1;
            if (escaped) broken <= 1;
        end
        if (is_data) begin
            escaped <= 0;
            remainder <= next;
            if (count == BYTES) full <= 1;
            else count <= count + 1'b1;
            if (count < HEADER && !drop) header <= {plain, header[39:8]};
        end
        if (is_flag) begin
            if (some) begin
                if (ignored) dropped <= 1;
                else if (full) too_long <= 1;
                else if (!right) damaged <= 1;
                else begin
                    accepted <= 1;
                    request <= 1;
                    ends <= count - CHECK;
                end
            end
            some <= 0;
            escaped <= 0;
            broken <= 0;
            full <= 0;
            count <= 0;
            remainder <= 32'hFFFFFFFF;
        end
        if (rst) begin
            request <= 0;
            some <= 0;
            ignored <= 0;
            escaped <= 0;
            broken <= 0;
            full <= 0;
            count <= 0;
            remainder <= 32'hFFFFFFFF;
        end
    end
endmodule

`resetall
