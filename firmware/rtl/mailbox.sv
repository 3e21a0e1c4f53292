// A tick through registers: features in, a doorbell, the answer out; docs/fabric.md says how it is used.
//
// Reading MAILBOX_SEQUENCE copies the last answer, so that its words belong together however slowly they are read.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module mailbox #(
    parameter int OUTPUTS = 11,
    parameter int Y_WIDTH = 16,
    parameter int LANE = 16,
    parameter int IN_BEATS = 2,
    parameter int OUT_BEATS = 3
) (
    input  wire                       clk,
    input  wire                       rst,
    input  wire                       open,           // a doorbell may ring
    input  wire                       active_set,
    input  wire                       write,
    input  wire        [        11:0] write_address,
    input  wire        [        31:0] write_data,
    input  wire                       read,
    input  wire        [        11:0] read_address,
    output reg         [        31:0] found,          // a cycle after `read_address`; 0 where another has the register
    output reg                        valid,          // features for the core, until `ready`
    input  wire                       ready,
    output reg         [64*IN_BEATS-1:0] beats,
    input  wire                       too_large,      // with `ready`: a feature was clamped
    output reg                        busy,           // from the doorbell to its answer
    output wire                       refused,        // pulse: a doorbell that does nothing
    input  wire                       y_valid,
    input  wire [OUTPUTS*Y_WIDTH-1:0] y,
    output wire                       answered        // pulse
);
    initial begin
        if (IN_BEATS > 64) $fatal(1, "mailbox: a vector of more than 64 beats does not fit");
        if (OUT_BEATS > 128) $fatal(1, "mailbox: an answer of more than 128 beats does not fit");
    end

    wire rings = write && write_address == registers_pkg::MAILBOX_DOORBELL;
    wire taken = rings && open && !busy;
    assign refused = rings && !taken;
    assign answered = busy && y_valid;

    wire [64*OUT_BEATS-1:0] y_beats;
    genvar k;
    generate
        for (k = 0; k < OUT_BEATS * 64 / LANE; k = k + 1) begin : g_lane
            if (k < OUTPUTS) begin : g_used
                wire signed [Y_WIDTH-1:0] value = y[k*Y_WIDTH+:Y_WIDTH];
                wire signed [LANE-1:0] wide = value;
                assign y_beats[k*LANE+:LANE] = wide;
            end else begin : g_padding
                assign y_beats[k*LANE+:LANE] = 0;
            end
        end
        for (k = 0; k < 2 * IN_BEATS; k = k + 1) begin : g_feature
            always @(posedge clk)
                if (write && write_address == registers_pkg::MAILBOX_FEATURES + 4 * k && !valid) beats[32*k+:32] <= write_data;
        end
    endgenerate

    // the window is read before there is an answer
    reg [64*OUT_BEATS-1:0] answer = 0, copied = 0;
    reg [1:0] answer_flags, copied_flags;
    reg [31:0] sequence_number, answer_sequence, copied_sequence;
    reg saturated;
    wire [7:0] word = read_address[9:2];
    wire [64*OUT_BEATS+31:0] padded = {32'd0, copied};
    always @(posedge clk) begin
        if (valid && ready) begin
            valid <= 0;
            saturated <= too_large;
        end
        if (taken) begin
            valid <= 1;
            busy <= 1;
            sequence_number <= write_data;
        end
        if (answered) begin
            busy <= 0;
            answer <= y_beats;
            answer_flags <= {saturated, active_set};
            answer_sequence <= sequence_number;
        end
        if (read && read_address == registers_pkg::MAILBOX_SEQUENCE) begin
            copied <= answer;
            copied_flags <= answer_flags;
            copied_sequence <= answer_sequence;
        end
        case (read_address)
            registers_pkg::MAILBOX_SEQUENCE: found <= copied_sequence;
            registers_pkg::MAILBOX_SET: found <= {30'd0, copied_flags};
            default: found <= read_address[11:10] == 2'b01 && word < 2 * OUT_BEATS ? padded[32*word+:32] : 32'd0;
        endcase
        if (rst) begin
            valid <= 0;
            busy <= 0;
            answer_sequence <= 0;
            copied_sequence <= 0;
            answer_flags <= 0;
            copied_flags <= 0;
        end
    end
endmodule

`resetall
