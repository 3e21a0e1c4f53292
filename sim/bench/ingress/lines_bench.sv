// Two stores and the arbiter between them: words of each line in, frames out.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module lines_bench #(
    parameter int BEAT_BITS = 9,
    parameter int QUIET_BITS = 10
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [ 1:0] on,
    input  wire [31:0] wait_cycles,
    input  wire [ 1:0] word_valid,
    input  wire [ 1:0] word_verdict,
    input  wire [63:0] word_a,
    input  wire [63:0] word_b,
    output wire [63:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    output wire        m_axis_tlast,
    input  wire        m_axis_tready,
    output wire [63:0] lost,
    output wire [63:0] duplicates,
    output wire [63:0] late,
    output wire [31:0] filled,
    output wire [31:0] unfilled,
    output wire [ 1:0] crowded,
    output wire [ 1:0] counts,
    output wire [ 1:0] overflows
);
    wire [1:0] head_valid, head_known, data_last, take, drop;
    wire [7:0] head_session;
    wire [63:0] head_first, head_following;
    wire [127:0] data;
    genvar k;
    generate
        for (k = 0; k < 2; k = k + 1) begin : g_line
            frame_store #(.BEAT_BITS(BEAT_BITS)) frames (
                .clk(clk), .rst(rst), .word_valid(word_valid[k]), .word_verdict(word_verdict[k]), .word(k == 0 ? word_a : word_b),
                .head_valid(head_valid[k]), .head_known(head_known[k]), .head_session(head_session[4*k+:4]),
                .head_first(head_first[32*k+:32]), .head_following(head_following[32*k+:32]), .crowded(crowded[k]),
                .data(data[64*k+:64]), .data_last(data_last[k]), .take(take[k]), .drop(drop[k]), .counts(counts[k]), .verdict(),
                .overflows(overflows[k])
            );
        end
    endgenerate
    line_arbiter #(.QUIET_BITS(QUIET_BITS)) arbiter (
        .clk(clk), .rst(rst), .on(on), .wait_cycles(wait_cycles), .head_valid(head_valid), .head_known(head_known),
        .head_session(head_session), .head_first(head_first), .head_following(head_following), .crowded(crowded), .data(data),
        .data_last(data_last), .take(take), .drop(drop), .busy(), .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid),
        .m_axis_tlast(m_axis_tlast), .m_axis_tready(m_axis_tready), .lost(lost), .duplicates(duplicates), .late(late), .filled(filled),
        .unfilled(unfilled)
    );
endmodule

`resetall
