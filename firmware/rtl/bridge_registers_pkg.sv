// Written by `python -m firmware.register_map` from firmware/serial/registers.toml.
`resetall
`timescale 1ns / 1ps
`default_nettype none

package bridge_registers_pkg;
    localparam logic [31:0] IDENTITY_VALUE = 32'h50595342;
    localparam logic [31:0] VERSION_VALUE = 32'd1;
    localparam logic [11:0] BRIDGE_IDENTITY = 12'h000;
    localparam logic [11:0] BRIDGE_VERSION = 12'h004;
    localparam logic [11:0] BRIDGE_BUFFER = 12'h008;
    localparam logic [11:0] BRIDGE_BIT = 12'h00c;
    localparam logic [11:0] ACCEPTED = 12'h010;
    localparam logic [11:0] EXECUTED = 12'h014;
    localparam logic [11:0] DAMAGED = 12'h018;
    localparam logic [11:0] TOO_LONG = 12'h01c;
    localparam logic [11:0] DROPPED = 12'h020;
    localparam logic [11:0] BAD_BYTES = 12'h024;
    localparam logic [11:0] REPEATED = 12'h028;
    localparam logic [11:0] STRANGERS = 12'h02c;
    localparam logic [11:0] OUT_OF_ORDER = 12'h030;
    localparam logic [11:0] BAD_PROGRAMS = 12'h034;
    localparam logic [11:0] BUS_ERRORS = 12'h038;
    localparam logic [11:0] TIMEOUTS = 12'h03c;
    localparam logic [11:0] LONG_RESULTS = 12'h040;
    localparam logic [11:0] STRAY_BEATS = 12'h044;
endpackage

`resetall
