// The two AXI4-Streams between the clock of the AXI side and that of the core: a queue each.
//
// `forget` (pulse, core_clk): beats in both queues are thrown away; `busy` until that is done, and meanwhile nothing new is written to the
// answers. The source must be silent, and the sink not take what was there before.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module stream_crossing (
    input  wire        clk,
    input  wire        rst,
    input  wire [63:0] s_axis_tdata,
    input  wire        s_axis_tvalid,
    input  wire        s_axis_tlast,
    output wire        s_axis_tready,
    output wire [63:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    output wire        m_axis_tlast,
    input  wire        m_axis_tready,
    input  wire        core_clk,
    input  wire        core_rst,
    input  wire        forget,
    output wire        busy,
    output wire [63:0] x_axis_tdata,
    output wire        x_axis_tvalid,
    output wire        x_axis_tlast,
    input  wire        x_axis_tready,
    input  wire [63:0] y_axis_tdata,
    input  wire        y_axis_tvalid,
    input  wire        y_axis_tlast,
    output wire        y_axis_tready
);
    reg dropping;  // beats of features
    wire answers_busy, drop_answers, x_empty, m_empty, room;
    async_fifo features (
        .w_clk(clk), .w_rst(rst), .w_valid(s_axis_tvalid), .w_ready(s_axis_tready),
        .w_data({s_axis_tlast, s_axis_tdata}),
        .r_clk(core_clk), .r_rst(core_rst), .r_valid(x_axis_tvalid), .r_ready(x_axis_tready),
        .r_data({x_axis_tlast, x_axis_tdata}), .r_empty(x_empty), .r_drop(dropping)
    );
    async_fifo answers (
        .w_clk(core_clk), .w_rst(core_rst), .w_valid(y_axis_tvalid && !busy), .w_ready(room),
        .w_data({y_axis_tlast, y_axis_tdata}),
        .r_clk(clk), .r_rst(rst), .r_valid(m_axis_tvalid), .r_ready(m_axis_tready),
        .r_data({m_axis_tlast, m_axis_tdata}), .r_empty(m_empty), .r_drop(drop_answers)
    );
    assign y_axis_tready = room && !busy;

    // what was written before `forget` is seen by the reader no later than the request, but for one edge
    reg waited;
    handshake_crossing forgetting (
        .clk(core_clk), .rst(core_rst), .ask(forget && !answers_busy), .request(1'b0), .busy(answers_busy), .done(), .answer(),
        .there_clk(clk), .there_rst(rst), .asked(drop_answers), .asked_for(), .answered(waited && m_empty), .answer_given(1'b0)
    );
    always @(posedge clk) waited <= drop_answers && !rst;
    always @(posedge core_clk) begin
        if (dropping && x_empty) dropping <= 0;
        if (forget) dropping <= 1;
        if (core_rst) dropping <= 0;
    end
    assign busy = forget || dropping || answers_busy;
endmodule

`resetall
