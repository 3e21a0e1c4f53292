// A queue of 2**DEPTH_BITS words between two clocks: Gray pointers through two registers each.
//
// A word written at an edge of w_clk can be read after the second edge of r_clk later than that: its handshake is at the third. A place
// that was read at an edge of r_clk can be written after the second edge of w_clk. `r_drop` throws words away, one a cycle.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module async_fifo #(
    parameter int WIDTH = 65,
    parameter int DEPTH_BITS = 4
) (
    input  wire             w_clk,
    input  wire             w_rst,
    input  wire             w_valid,
    output wire             w_ready,
    input  wire [WIDTH-1:0] w_data,
    input  wire             r_clk,
    input  wire             r_rst,
    output wire             r_valid,
    input  wire             r_ready,
    output wire [WIDTH-1:0] r_data,
    output wire             r_empty,  // nothing to read, or to drop
    input  wire             r_drop
);
    initial if (DEPTH_BITS < 3 || DEPTH_BITS > 9) $fatal(1, "async_fifo: 8 to 512 words, so that beats follow without gaps");

    (* ram_style = "distributed" *) reg [WIDTH-1:0] words[0:(1<<DEPTH_BITS)-1];
    reg [DEPTH_BITS:0] w_place, w_gray, r_place, r_gray;
    wire [DEPTH_BITS:0] w_next = w_place + 1'b1;
    wire [DEPTH_BITS:0] r_next = r_place + 1'b1;
    wire [DEPTH_BITS:0] w_seen, r_seen;  // the other side's pointer

    synchroniser #(.WIDTH(DEPTH_BITS + 1)) to_writer (.clk(w_clk), .rst(w_rst), .d(r_gray), .q(r_seen));
    synchroniser #(.WIDTH(DEPTH_BITS + 1)) to_reader (.clk(r_clk), .rst(r_rst), .d(w_gray), .q(w_seen));

    // full: the same place, a round apart
    assign w_ready = w_gray != {~r_seen[DEPTH_BITS-:2], r_seen[DEPTH_BITS-2:0]} && !w_rst;
    always @(posedge w_clk) begin
        if (w_valid && w_ready) begin
            words[w_place[DEPTH_BITS-1:0]] <= w_data;
            w_place <= w_next;
            w_gray <= w_next ^ (w_next >> 1);
        end
        if (w_rst) begin
            w_place <= 0;
            w_gray <= 0;
        end
    end

    assign r_empty = r_gray == w_seen;
    assign r_valid = !r_empty && !r_drop && !r_rst;
    assign r_data = words[r_place[DEPTH_BITS-1:0]];
    always @(posedge r_clk) begin
        if (!r_empty && (r_ready || r_drop)) begin
            r_place <= r_next;
            r_gray <= r_next ^ (r_next >> 1);
        end
        if (r_rst) begin
            r_place <= 0;
            r_gray <= 0;
        end
    end
endmodule

`resetall
