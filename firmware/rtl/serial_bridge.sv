// A fabric's ports on a serial line: requests in, answers out (docs/serial.md).
//
// Every request is run at most once: the last sequence number again gets the last answer again, the next one is run, any other
// is refused. A damaged packet is answered by a short one that says so, if the line is free. Faults are counted.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module serial_bridge #(
    parameter int BIT_64THS = 1024,
    parameter int BYTES = 2048,
    parameter int LIMIT_BITS = 20,
    parameter int ADDRESS_BITS = $clog2(BYTES)
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        rxd,
    output wire        txd,
    output wire        busy,
    output reg         fault,           // pulse: something was counted that should not be
    output wire [11:0] m_axil_awaddr,
    output wire        m_axil_awvalid,
    input  wire        m_axil_awready,
    output wire [31:0] m_axil_wdata,
    output wire        m_axil_wvalid,
    input  wire        m_axil_wready,
    input  wire [ 1:0] m_axil_bresp,
    input  wire        m_axil_bvalid,
    output wire        m_axil_bready,
    output wire [11:0] m_axil_araddr,
    output wire        m_axil_arvalid,
    input  wire        m_axil_arready,
    input  wire [31:0] m_axil_rdata,
    input  wire [ 1:0] m_axil_rresp,
    input  wire        m_axil_rvalid,
    output wire        m_axil_rready,
    output wire [63:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    output wire        m_axis_tlast,
    input  wire        m_axis_tready,
    input  wire [63:0] s_axis_tdata,
    input  wire        s_axis_tvalid,
    input  wire        s_axis_tlast,
    output wire        s_axis_tready
);
    localparam [7:0] CONNECT = 1, RUN = 2;
    localparam [7:0] OK = 0, DAMAGED = 1, STRANGER = 2, ORDER = 3, PROGRAM = 4, BUS = 5, TIMEOUT = 6, LONG_RESULT = 7;
    localparam [1:0] IDLE = 0, RUNNING = 1, SEND = 2, SENT = 3;

    // ---- the line
    wire in_valid, in_bad, out_valid, out_ready;
    wire [7:0] in_value, out_value;
    uart_receiver #(.BIT_64THS(BIT_64THS)) receiver (
        .clk(clk), .rst(rst), .line(rxd), .valid(in_valid), .bad(in_bad), .value(in_value)
    );
    uart_transmitter #(.BIT_64THS(BIT_64THS)) transmitter (
        .clk(clk), .rst(rst), .valid(out_valid), .ready(out_ready), .value(out_value), .line(txd)
    );

    // ---- packets
    wire request, accepted, damaged, too_long, dropped, bad_byte;
    reg release_request;
    wire [15:0] session, sequence_number;
    wire [7:0] kind, program_byte, result_byte;
    wire [ADDRESS_BITS:0] ends, run_length;
    wire [ADDRESS_BITS-1:0] program_address, answer_address, result_address;
    packet_receiver #(.BYTES(BYTES)) requests (
        .clk(clk), .rst(rst), .byte_valid(in_valid), .byte_bad(in_bad), .byte_value(in_value),
        .request(request), .session(session), .sequence_number(sequence_number), .kind(kind), .ends(ends),
        .release_request(release_request), .read_address(program_address), .read_data(program_byte),
        .accepted(accepted), .damaged(damaged), .too_long(too_long), .dropped(dropped), .bad_byte(bad_byte)
    );
    reg send;
    reg [39:0] header;
    reg [ADDRESS_BITS:0] length;
    wire sending;
    packet_transmitter #(.BYTES(BYTES)) answers (
        .clk(clk), .rst(rst), .start(send), .header(header), .length(length), .busy(sending),
        .read_address(answer_address), .read_data(result_byte),
        .byte_valid(out_valid), .byte_ready(out_ready), .byte_value(out_value)
    );

    // ---- programs
    reg run, forget;
    wire running, done, stray_beat, result_write;
    wire [7:0] run_status, result_data;
    wire [11:0] local_address;
    reg [31:0] local_data;
    bridge_program #(.BYTES(BYTES), .LIMIT_BITS(LIMIT_BITS)) program_runner (
        .clk(clk), .rst(rst), .start(run), .forget(forget), .begins(5), .ends(ends), .busy(running), .done(done),
        .status(run_status), .length(run_length), .read_address(program_address), .read_data(program_byte),
        .result_write(result_write), .result_address(result_address), .result_data(result_data),
        .local_address(local_address), .local_data(local_data), .stray_beat(stray_beat),
        .m_axil_awaddr(m_axil_awaddr), .m_axil_awvalid(m_axil_awvalid), .m_axil_awready(m_axil_awready),
        .m_axil_wdata(m_axil_wdata), .m_axil_wvalid(m_axil_wvalid), .m_axil_wready(m_axil_wready),
        .m_axil_bresp(m_axil_bresp), .m_axil_bvalid(m_axil_bvalid), .m_axil_bready(m_axil_bready),
        .m_axil_araddr(m_axil_araddr), .m_axil_arvalid(m_axil_arvalid), .m_axil_arready(m_axil_arready),
        .m_axil_rdata(m_axil_rdata), .m_axil_rresp(m_axil_rresp), .m_axil_rvalid(m_axil_rvalid),
        .m_axil_rready(m_axil_rready),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tlast(m_axis_tlast),
        .m_axis_tready(m_axis_tready), .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tlast(s_axis_tlast), .s_axis_tready(s_axis_tready)
    );
    byte_buffer #(.BYTES(BYTES)) results (
        .clk(clk), .write(result_write), .write_address(result_address), .write_data(result_data),
        .read_address(answer_address), .read_data(result_byte)
    );

    // ---- one request after the other
    reg [1:0] state;
    reg [15:0] ours, last;
    reg [7:0] last_status;
    reg [ADDRESS_BITS:0] last_length;
    reg complain;  // a damaged packet is still to be answered
    assign busy = state != IDLE || sending;

    wire known = session == ours;
    wire again = sequence_number == last;
    wire new_one = sequence_number == last + 16'd1;
    wire decide = state == IDLE && request && !release_request && !sending;
    wire runs = decide && kind == RUN && known && new_one;
    wire repeats = decide && kind == RUN && known && again;
    wire stranger = decide && kind == RUN && !known;
    wire disorder = decide && kind == RUN && known && !again && !new_one;
    wire unknown = decide && kind != RUN && kind != CONNECT;

    always @(posedge clk) begin
        run <= 0;
        forget <= 0;
        send <= 0;
        release_request <= 0;
        if (damaged || too_long) complain <= 1;
        case (state)
            IDLE:
            if (decide) begin
                complain <= 0;
                header <= {stranger ? STRANGER : disorder ? ORDER : unknown ? PROGRAM : OK, sequence_number, session};
                length <= 0;
                if (runs) begin
                    run <= 1;
                    state <= RUNNING;
                end else begin
                    release_request <= 1;
                    state <= SEND;
                end
                if (repeats) begin
                    header[39:32] <= last_status;
                    length <= last_length;
                end
                if (kind == CONNECT) begin
                    ours <= session;
                    last <= sequence_number;
                    last_status <= OK;
                    last_length <= 0;
                    forget <= 1;
                end
            end else if (complain && !sending && !request) begin
                complain <= 0;
                header <= {DAMAGED, last, ours};
                length <= 0;
                state <= SEND;
            end
            RUNNING:
            if (done) begin
                last <= sequence_number;
                last_status <= run_status;
                last_length <= run_length;
                header[39:32] <= run_status;
                length <= run_length;
                release_request <= 1;
                state <= SEND;
            end
            SEND: begin
                send <= 1;
                state <= SENT;
            end
            default: if (!send) state <= IDLE;
        endcase
        if (rst) begin
            state <= IDLE;
            complain <= 0;
            ours <= 0;
            last <= 0;
            last_status <= OK;
            last_length <= 0;
        end
    end

    // ---- counters, in the order of their registers
    localparam int COUNTERS = 14;
    wire [COUNTERS-1:0] events = {
        stray_beat,
        done && run_status == LONG_RESULT,
        done && run_status == TIMEOUT,
        done && run_status == BUS,
        (done && run_status == PROGRAM) || unknown,
        disorder,
        stranger,
        repeats,
        bad_byte,
        dropped,
        too_long,
        damaged,
        done,
        accepted
    };
    reg [15:0] counters[0:COUNTERS-1];
    integer k;
    always @(posedge clk) begin
        fault <= |events[COUNTERS-1:2];
        for (k = 0; k < COUNTERS; k = k + 1)
            if (rst) counters[k] <= 0;
            else if (events[k]) counters[k] <= counters[k] + 1'b1;
    end

    wire [11:0] counter = local_address - bridge_registers_pkg::ACCEPTED;
    always @(posedge clk)
        case (local_address)
            bridge_registers_pkg::BRIDGE_IDENTITY: local_data <= bridge_registers_pkg::IDENTITY_VALUE;
            bridge_registers_pkg::BRIDGE_VERSION: local_data <= bridge_registers_pkg::VERSION_VALUE;
            bridge_registers_pkg::BRIDGE_BUFFER: local_data <= BYTES;
            bridge_registers_pkg::BRIDGE_BIT: local_data <= BIT_64THS;
            default: local_data <= counter[11:2] < COUNTERS ? {16'd0, counters[counter[5:2]]} : 32'd0;
        endcase
endmodule

`resetall
