// Written by `python -m firmware.register_map` from firmware/ingress_registers.toml.
`resetall
`timescale 1ns / 1ps
`default_nettype none

package ingress_registers_pkg;
    localparam logic [31:0] IDENTITY_VALUE = 32'h50595544;
    localparam logic [31:0] VERSION_VALUE = 32'd1;
    localparam logic [11:0] INGRESS_IDENTITY = 12'h800;
    localparam logic [11:0] INGRESS_VERSION = 12'h804;
    localparam logic [11:0] INGRESS_ON = 12'h808;
    localparam int INGRESS_ON_A = 0;
    localparam int INGRESS_ON_B = 1;
    localparam logic [11:0] INGRESS_LINES = 12'h80c;
    localparam logic [11:0] WAIT_CYCLES = 12'h810;
    localparam logic [11:0] MAC_HIGH = 12'h814;
    localparam int MAC_HIGH_BYTES = 0;
    localparam logic [11:0] MAC_LOW = 12'h818;
    localparam logic [11:0] ADDRESS_A = 12'h820;
    localparam logic [11:0] PORT_A = 12'h824;
    localparam int PORT_A_PORT = 0;
    localparam logic [11:0] ADDRESS_B = 12'h828;
    localparam logic [11:0] PORT_B = 12'h82c;
    localparam int PORT_B_PORT = 0;
    localparam logic [11:0] FILLED = 12'h840;
    localparam logic [11:0] UNFILLED = 12'h844;
    localparam logic [11:0] VERDICTS_A = 12'h880;
    localparam logic [11:0] OVERFLOWS_A = 12'h8c0;
    localparam logic [11:0] LOST_A = 12'h8c4;
    localparam logic [11:0] DUPLICATES_A = 12'h8c8;
    localparam logic [11:0] LATE_A = 12'h8cc;
    localparam logic [11:0] VERDICTS_B = 12'h900;
    localparam logic [11:0] OVERFLOWS_B = 12'h940;
    localparam logic [11:0] LOST_B = 12'h944;
    localparam logic [11:0] DUPLICATES_B = 12'h948;
    localparam logic [11:0] LATE_B = 12'h94c;
endpackage

`resetall
