// Written by `python -m firmware.register_map` from firmware/registers.toml.
`resetall
`timescale 1ns / 1ps
`default_nettype none

package registers_pkg;
    localparam logic [31:0] IDENTITY_VALUE = 32'h50594f52;
    localparam logic [31:0] VERSION_VALUE = 32'd1;
    localparam logic [11:0] IDENTITY = 12'h000;
    localparam logic [11:0] VERSION = 12'h004;
    localparam logic [11:0] FORMAT_DIGEST_0 = 12'h008;
    localparam logic [11:0] FORMAT_DIGEST_1 = 12'h00c;
    localparam logic [11:0] SHAPE = 12'h010;
    localparam int SHAPE_FEATURES = 0;
    localparam int SHAPE_OUTPUTS = 16;
    localparam logic [11:0] SERVING = 12'h014;
    localparam int SERVING_WINDOW = 0;
    localparam int SERVING_WINDOWED = 16;
    localparam int SERVING_LOADABLE = 17;
    localparam int SERVING_LAYERS = 24;
    localparam logic [11:0] IMAGE_WORDS = 12'h018;
    localparam logic [11:0] LANES = 12'h01c;
    localparam int LANES_INPUT_BITS = 0;
    localparam int LANES_OUTPUT_BITS = 8;
    localparam int LANES_VECTOR_BEATS = 16;
    localparam int LANES_ANSWER_BEATS = 24;
    localparam logic [11:0] CONTROL = 12'h020;
    localparam int CONTROL_ENABLE = 0;
    localparam int CONTROL_HOLD = 1;
    localparam logic [11:0] COMMAND = 12'h024;
    localparam int COMMAND_RESET = 0;
    localparam int COMMAND_CLEAR = 1;
    localparam int COMMAND_SWAP_KEEP = 2;
    localparam int COMMAND_SWAP_CLEAR = 3;
    localparam logic [11:0] STATUS = 12'h028;
    localparam int STATUS_IDLE = 0;
    localparam int STATUS_DRAINED = 1;
    localparam int STATUS_PENDING = 2;
    localparam int STATUS_ACTIVE_SET = 3;
    localparam int STATUS_SET_0_VALID = 4;
    localparam int STATUS_SET_1_VALID = 5;
    localparam int STATUS_MAILBOX_BUSY = 6;
    localparam int STATUS_OWNER = 8;
    localparam logic [11:0] ERRORS = 12'h02c;
    localparam int ERRORS_FRAME = 0;
    localparam int ERRORS_LOAD = 1;
    localparam int ERRORS_SWAP = 2;
    localparam int ERRORS_ACCESS = 3;
    localparam int ERRORS_DOORBELL = 4;
    localparam logic [11:0] OWNER = 12'h030;
    localparam logic [11:0] STEPS = 12'h040;
    localparam logic [11:0] CYCLES_LAST = 12'h044;
    localparam logic [11:0] CYCLES_MIN = 12'h048;
    localparam logic [11:0] CYCLES_MAX = 12'h04c;
    localparam logic [11:0] BAD_FRAMES = 12'h050;
    localparam logic [11:0] STALLS = 12'h054;
    localparam logic [11:0] SWAPS = 12'h058;
    localparam logic [11:0] REFUSED_DOORBELLS = 12'h05c;
    localparam logic [11:0] PAUSE_LAST = 12'h060;
    localparam logic [11:0] LOAD_ADDRESS = 12'h080;
    localparam int LOAD_ADDRESS_LANE = 0;
    localparam int LOAD_ADDRESS_WORD = 8;
    localparam int LOAD_ADDRESS_MEMORY = 24;
    localparam logic [11:0] LOAD_DATA = 12'h084;
    localparam logic [11:0] LOAD_COUNT = 12'h088;
    localparam logic [11:0] LOAD_CRC = 12'h08c;
    localparam logic [11:0] LOAD_FORMAT_0 = 12'h090;
    localparam logic [11:0] LOAD_FORMAT_1 = 12'h094;
    localparam logic [11:0] LOAD_MODEL_0 = 12'h098;
    localparam logic [11:0] LOAD_MODEL_1 = 12'h09c;
    localparam logic [11:0] LOAD_START = 12'h0a0;
    localparam logic [11:0] LOAD_COMMIT = 12'h0a4;
    localparam logic [11:0] SET_0_MODEL_0 = 12'h0b0;
    localparam logic [11:0] SET_0_MODEL_1 = 12'h0b4;
    localparam logic [11:0] SET_1_MODEL_0 = 12'h0b8;
    localparam logic [11:0] SET_1_MODEL_1 = 12'h0bc;
    localparam logic [11:0] STATE_ADDRESS = 12'h0c0;
    localparam int STATE_ADDRESS_UNIT = 0;
    localparam int STATE_ADDRESS_CELL = 12;
    localparam int STATE_ADDRESS_LAYER = 28;
    localparam logic [11:0] STATE_DATA = 12'h0c4;
    localparam logic [11:0] MAILBOX_DOORBELL = 12'h100;
    localparam logic [11:0] MAILBOX_SEQUENCE = 12'h104;
    localparam logic [11:0] MAILBOX_SET = 12'h108;
    localparam logic [11:0] MAILBOX_FEATURES = 12'h200;
    localparam logic [11:0] MAILBOX_ANSWER = 12'h400;
endpackage

`resetall
