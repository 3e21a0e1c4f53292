// Two sets of policy registers: which one decides, and what is written to the other; after a reset it writes the built-in set.
//
// INIT is a hex file of COUNT words of 64 bits, address and value; `ready` when they are written and that set decides. `want_swap`
// changes the sets at the next cycle in which `may_swap`; ticks that were begun before keep theirs.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module policy_store #(
    parameter int COUNT = 1,
    parameter INIT = ""
) (
    input  wire        clk,
    input  wire        rst,
    output reg         ready,
    output reg         set,
    input  wire        want_swap,
    input  wire        may_swap,
    output reg         pending,
    output reg         write,
    output reg  [15:0] address,
    output reg  [31:0] data,
    input  wire        host_write,
    input  wire [15:0] host_address,
    input  wire [31:0] host_data
);
    localparam int BITS = COUNT > 1 ? $clog2(COUNT) : 1;

    (* ram_style = "block", rom_style = "block" *) reg [63:0] built_in[0:(1<<BITS)-1];
    initial if (INIT != "") $readmemh(INIT, built_in);
    reg [BITS:0] place;
    reg [63:0] word;
    reg [2:0] fetched;

    always @(posedge clk) begin
        word <= built_in[place[BITS-1:0]];
        fetched <= {fetched[1:0], !ready && place != COUNT};
        if (!ready && place != COUNT) place <= place + 1'b1;
        write <= ready ? host_write : fetched[0];
        address <= ready ? host_address : word[47:32];
        data <= ready ? host_data : word[31:0];
        if (!ready && place == COUNT && fetched == 0 && !write) begin
            ready <= 1;
            set <= 0;
        end
        if (want_swap) pending <= 1;
        if (pending && may_swap) begin
            pending <= 0;
            set <= !set;
        end
        if (rst) begin
            ready <= 0;
            set <= 1;  // so that set 0 is written
            pending <= 0;
            place <= 0;
            fetched <= 0;
            write <= 0;
        end
    end
endmodule

`resetall
