// Weights for the inactive set: forwards the words, counts them, runs the CRC, decides at commit.
//
// CRC-32 (IEEE 802.3, reflected, as zlib) over the 8 bytes of (address, data), little-endian, of every word; a byte a cycle, `busy`
// meanwhile. A set is invalid from LOAD_START or its first word until a commit with IMAGE_WORDS words, the right CRC and this
// fabric's format digest. Set 0 is valid after a reset as long as it is the one that was built in: a reset does not bring back words
// that were written over. MODEL_FILE: a hex file with the first 64 bits of the model digest of what was built in; it is
// a memory, so that fabrics of one format have the same sources. `abort` (soft reset: the sets may change their roles) begins count and CRC anew.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module loader #(
    parameter int LOADABLE = 1,
    parameter int IMAGE_WORDS = 1,
    parameter logic [63:0] FORMAT_DIGEST = 0,
    parameter MODEL_FILE = ""
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        abort,
    input  wire        active_set,
    input  wire        start,
    input  wire        commit,
    input  wire [31:0] expected_crc,
    input  wire [63:0] format_digest,
    input  wire [63:0] model_digest,
    input  wire        word,
    input  wire [31:0] address,
    input  wire [31:0] data,
    output wire        load_write,
    output wire [31:0] load_address,
    output wire [31:0] load_data,
    output wire        busy,
    output reg  [31:0] count,
    output wire [31:0] crc,
    output reg  [ 1:0] valid,
    output reg         refused,    // pulse: a commit, or a word that this fabric does not take
    output reg  [63:0] set_0_model,
    output reg  [63:0] set_1_model
);
    reg built_in = 1'b1;  // set 0 is as configuration left it; a reset keeps this
    reg [63:0] built_in_model[0:0];
    initial begin
        built_in_model[0] = 64'd0;
        if (MODEL_FILE != "") $readmemh(MODEL_FILE, built_in_model);
    end
    reg [31:0] remainder;
    reg [63:0] bytes;
    reg [3:0] left;
    assign crc = ~remainder;
    assign busy = left != 0;
    assign load_write = word && LOADABLE != 0;
    assign load_address = address;
    assign load_data = data;

    integer k;
    reg [31:0] next;
    always @* begin
        next = remainder ^ {24'd0, bytes[7:0]};
        for (k = 0; k < 8; k = k + 1) next = next[0] ? (next >> 1) ^ 32'hEDB88320 : next >> 1;
    end

    wire right = LOADABLE != 0 && count == IMAGE_WORDS && crc == expected_crc && format_digest == FORMAT_DIGEST;
    always @(posedge clk) begin
        refused <= 0;
        if (busy) begin
            remainder <= next;
            bytes <= bytes >> 8;
            left <= left - 1'b1;
        end
        if (start) begin
            count <= 0;
            remainder <= 32'hFFFFFFFF;
            if (LOADABLE != 0) valid[!active_set] <= 0;
        end
        if (word) begin
            if (LOADABLE != 0) begin
                valid[!active_set] <= 0;
                if (active_set) built_in <= 0;
                bytes <= {data, address};
                left <= 8;
                if (!(&count)) count <= count + 1'b1;
            end else refused <= 1;
        end
        if (commit) begin
            if (right) begin
                valid[!active_set] <= 1;
                if (active_set) set_0_model <= model_digest;
                else set_1_model <= model_digest;
            end else refused <= 1;
            count <= 0;
            remainder <= 32'hFFFFFFFF;
        end
        if (abort) begin
            count <= 0;
            remainder <= 32'hFFFFFFFF;
            left <= 0;
        end
        if (rst) begin
            valid <= {1'b0, built_in};
            count <= 0;
            left <= 0;
            remainder <= 32'hFFFFFFFF;
            refused <= 0;
            set_0_model <= built_in ? built_in_model[0] : 64'd0;
            set_1_model <= 0;
        end
    end
endmodule

`resetall
