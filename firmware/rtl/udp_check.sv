// The UDP header behind an IPv4 header without options: port, length, checksum; and which bytes are payload.
//
// A payload has whole beats of 8 bytes, one at least. `fault` stands from the byte that showed it; `whole` and `sum_right` are true once
// the frame's last byte has come. A checksum of 0 was not computed.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module udp_check (
    input  wire        clk,
    input  wire        restart,
    input  wire [15:0] port,
    input  wire        byte_valid,
    input  wire [ 7:0] byte_value,
    input  wire [10:0] index,        // in the frame
    input  wire [15:0] ip_length,
    output reg  [ 3:0] fault,
    output wire        payload,      // this byte is
    output wire        fills,        // the last one of its beat
    output wire        whole,        // so was all of it, and four bytes followed
    output wire        sum_right
);
    localparam int AT = 34, ADDRESSES = 26, HEADER = 8, PROTOCOL = 17;

    reg [7:0] held;
    reg [12:0] left;                 // beats of payload; of the present one: `place`
    reg [2:0] place;
    reg [2:0] behind;
    reg [15:0] length;
    reg unchecked;
    wire [15:0] word = {held, byte_value};
    assign payload = byte_valid && index >= AT + HEADER && left != 0;
    assign fills = payload && place == 7;
    assign whole = left == 0 && behind[2];

    // header, payload and addresses by words, the length once more in the place between two of them; a carry is added with what comes next
    reg [16:0] sum;
    wire summed = index[0] && index >= ADDRESSES && (index < AT + HEADER || left != 0);
    wire [15:0] addend = summed ? word : index == AT + 6 ? length : 16'd0;
    wire [16:0] added = sum[15:0] + addend + sum[16];
    assign sum_right = unchecked || sum == 17'h0FFFF;

    always @(posedge clk) begin
        if (byte_valid) begin
            held <= byte_value;
            if (index >= ADDRESSES) sum <= added;
            if (index == AT + 4 || index == AT + 5) length <= {length[7:0], byte_value};
            if (index == AT + 5) left <= {held, byte_value[7:3]} - 1'b1;
            if (index == AT + 7) unchecked <= word == 0;
            if (payload) begin
                place <= place + 1'b1;
                if (fills) left <= left - 1'b1;
            end
            if (index >= AT + HEADER && left == 0 && !behind[2]) behind <= behind + 1'b1;
            if (fault == verdict_pkg::ACCEPTED) begin
                if (index == AT + 3 && word != port) fault <= verdict_pkg::OTHER_PORT;
                if (index == AT + 6 && (length[2:0] != 0 || length < 2 * HEADER || length + 16'd20 != ip_length)) fault <= verdict_pkg::BAD_LENGTH;
            end
        end
        if (restart) begin
            sum <= PROTOCOL;
            place <= 0;
            behind <= 0;
            left <= 0;
            unchecked <= 0;
            fault <= verdict_pkg::ACCEPTED;
        end
    end
endmodule

`resetall
