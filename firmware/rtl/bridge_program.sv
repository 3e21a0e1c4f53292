// Runs the program of a request (docs/serial.md, "Programs"): register reads and writes, frames; its results go into a buffer.
//
// `start` is a pulse while not `busy`; the program lies in the buffer of the request from byte `begins` to before `ends`, one cycle of
// latency. `done` is a pulse with `status` and `length`, the number of result bytes. A program stops at its first error.
// Addresses with bit 12 set are the bridge's own registers: `local_data` is taken three cycles after `local_address`.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module bridge_program #(
    parameter int BYTES = 2048,
    parameter int LIMIT_BITS = 20,
    parameter int ADDRESS_BITS = $clog2(BYTES)
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    start,
    input  wire                    forget,           // an unfinished frame of an earlier request is given up
    input  wire [  ADDRESS_BITS:0] begins,
    input  wire [  ADDRESS_BITS:0] ends,
    output wire                    busy,
    output reg                     done,
    output reg  [             7:0] status,
    output wire [  ADDRESS_BITS:0] length,
    output wire [ADDRESS_BITS-1:0] read_address,
    input  wire [             7:0] read_data,
    output wire                    result_write,
    output wire [ADDRESS_BITS-1:0] result_address,
    output wire [             7:0] result_data,
    output reg  [            11:0] local_address,
    input  wire [            31:0] local_data,
    output reg                     stray_beat,       // pulse: a beat of a result that no request waits for
    output reg  [            11:0] m_axil_awaddr,
    output reg                     m_axil_awvalid,
    input  wire                    m_axil_awready,
    output reg  [            31:0] m_axil_wdata,
    output reg                     m_axil_wvalid,
    input  wire                    m_axil_wready,
    input  wire [             1:0] m_axil_bresp,
    input  wire                    m_axil_bvalid,
    output wire                    m_axil_bready,
    output reg  [            11:0] m_axil_araddr,
    output reg                     m_axil_arvalid,
    input  wire                    m_axil_arready,
    input  wire [            31:0] m_axil_rdata,
    input  wire [             1:0] m_axil_rresp,
    input  wire                    m_axil_rvalid,
    output wire                    m_axil_rready,
    output reg  [            63:0] m_axis_tdata,
    output reg                     m_axis_tvalid,
    output reg                     m_axis_tlast,
    input  wire                    m_axis_tready,
    input  wire [            63:0] s_axis_tdata,
    input  wire                    s_axis_tvalid,
    input  wire                    s_axis_tlast,
    output wire                    s_axis_tready
);
    localparam [7:0] WRITE = 1, READ = 2, FRAME = 3;
    localparam [7:0] OK = 0, PROGRAM = 4, BUS = 5, TIMEOUT = 6, LONG_RESULT = 7;
    localparam [3:0] IDLE = 0, NEXT = 1, GATHER = 2, DECODE = 3, ARGUMENTS = 4, WRITING = 5, READING = 6, LOCAL = 7,
                     RESULT = 8, BEAT = 9, PUSH = 10, COLLECT = 11, FLUSH = 12;

    reg [3:0] state, after;
    reg [ADDRESS_BITS:0] place, limit;
    reg [3:0] need;
    reg fetched;
    reg [63:0] word;  // the bytes gathered last are its highest
    reg [7:0] command;
    reg [15:0] beats;
    reg closes;  // the frame ends with this command
    reg [LIMIT_BITS-1:0] patience;
    reg [1:0] delay;
    assign busy = state != IDLE;
    assign read_address = place[ADDRESS_BITS-1:0];

    // ---- results: words of a read and beats of a result frame, a byte a cycle
    reg [ADDRESS_BITS:0] filled;
    reg [63:0] spill;
    reg [3:0] spilling;
    reg collecting, open, overflow;
    wire room = spilling == 0;
    assign result_write = spilling != 0;
    assign result_address = filled[ADDRESS_BITS-1:0];
    assign result_data = spill[7:0];
    assign length = filled;
    // between the parts of a frame its answers wait; outside of frames nobody does, and what comes is dropped
    assign s_axis_tready = collecting ? room : !open;
    wire taken = s_axis_tvalid && s_axis_tready;
    wire fits = filled <= BYTES - 8;

    assign m_axil_bready = 1'b1;
    assign m_axil_rready = 1'b1;
    wire late = &patience;
    wire progress = (m_axis_tvalid && m_axis_tready) || taken;

    always @(posedge clk) begin
        done <= 0;
        stray_beat <= taken && !collecting;
        fetched <= 1;
        patience <= progress ? 0 : patience + 1'b1;
        if (m_axil_awready) m_axil_awvalid <= 0;
        if (m_axil_wready) m_axil_wvalid <= 0;
        if (m_axil_arready) m_axil_arvalid <= 0;
        if (spilling != 0) begin
            spill <= spill >> 8;
            spilling <= spilling - 1'b1;
            filled <= filled + 1'b1;
        end
        if (taken && collecting) begin
            if (fits) begin
                spill <= s_axis_tdata;
                spilling <= 8;
            end else overflow <= 1;
            if (s_axis_tlast) collecting <= 0;
        end
        case (state)
            IDLE:
            if (start) begin
                state <= NEXT;
                place <= begins;
                limit <= ends;
                filled <= 0;
                overflow <= 0;
                fetched <= 0;
            end
            NEXT: begin
                status <= OK;
                need <= 1;
                after <= DECODE;
                state <= place == limit ? FLUSH : GATHER;
            end
            GATHER:
            if (need == 0) state <= after;
            else if (place == limit) begin
                open <= 0;
                status <= PROGRAM;
                state <= FLUSH;
            end else if (fetched) begin
                word <= {read_data, word[63:8]};
                place <= place + 1'b1;
                need <= need - 1'b1;
                fetched <= 0;
            end
            DECODE: begin
                command <= word[63:56];
                after <= ARGUMENTS;
                need <= word[63:56] == WRITE ? 6 : word[63:56] == READ ? 2 : 3;
                state <= GATHER;
                if (word[63:56] != WRITE && word[63:56] != READ && word[63:56] != FRAME) begin
                    status <= PROGRAM;
                    state <= FLUSH;
                end
            end
            ARGUMENTS: begin
                patience <= 0;
                m_axil_awaddr <= word[27:16];
                m_axil_wdata <= word[63:32];
                m_axil_araddr <= word[59:48];
                local_address <= word[59:48];
                beats <= word[55:40];
                closes <= word[56];
                delay <= 0;
                if (command == WRITE) begin
                    if (word[31:28] != 0) begin  // the bridge's own registers are read only
                        status <= BUS;
                        state <= FLUSH;
                    end else begin
                        m_axil_awvalid <= 1;
                        m_axil_wvalid <= 1;
                        state <= WRITING;
                    end
                end else if (command == READ) begin
                    if (!fits || word[63:61] != 0) begin
                        status <= fits ? BUS : LONG_RESULT;
                        state <= FLUSH;
                    end else if (word[60]) begin
                        state <= LOCAL;
                    end else begin
                        m_axil_arvalid <= 1;
                        state <= READING;
                    end
                end else if (word[55:40] == 0) begin
                    open <= 0;
                    status <= PROGRAM;
                    state <= FLUSH;
                end else begin
                    collecting <= 1;
                    open <= 1;
                    state <= BEAT;
                end
            end
            WRITING:
            if (m_axil_bvalid) begin
                status <= BUS;
                state <= m_axil_bresp == 0 ? NEXT : FLUSH;
            end else if (late) begin
                m_axil_awvalid <= 0;
                m_axil_wvalid <= 0;
                status <= TIMEOUT;
                state <= FLUSH;
            end
            READING:
            if (m_axil_rvalid) begin
                spill <= {32'd0, m_axil_rdata};
                spilling <= m_axil_rresp == 0 ? 4 : 0;
                status <= BUS;
                state <= m_axil_rresp == 0 ? RESULT : FLUSH;
            end else if (late) begin
                m_axil_arvalid <= 0;
                status <= TIMEOUT;
                state <= FLUSH;
            end
            LOCAL: begin
                delay <= delay + 1'b1;
                if (&delay) begin
                    spill <= {32'd0, local_data};
                    spilling <= 4;
                    state <= RESULT;
                end
            end
            RESULT: if (room) state <= NEXT;
            BEAT: begin
                need <= 8;
                after <= PUSH;
                state <= GATHER;
                if (beats == 0) begin
                    open <= !closes;
                    patience <= 0;
                    state <= COLLECT;
                end
            end
            PUSH: begin
                if (!m_axis_tvalid) begin
                    m_axis_tvalid <= 1;
                    m_axis_tdata <= word;
                    m_axis_tlast <= closes && beats == 1;
                    patience <= 0;
                end else if (m_axis_tready) begin
                    m_axis_tvalid <= 0;
                    beats <= beats - 1'b1;
                    state <= BEAT;
                end else if (late) begin
                    m_axis_tvalid <= 0;
                    open <= 0;
                    status <= TIMEOUT;
                    state <= FLUSH;
                end
            end
            COLLECT:
            if (open || !collecting) begin
                collecting <= 0;
                status <= LONG_RESULT;
                state <= overflow ? FLUSH : RESULT;
            end else if (late && collecting) begin
                status <= TIMEOUT;
                state <= FLUSH;
            end
            default: begin  // FLUSH
                collecting <= 0;
                if (room && !(taken && collecting)) begin
                    done <= 1;
                    state <= IDLE;
                end
            end
        endcase
        if (forget) open <= 0;
        if (rst) begin
            state <= IDLE;
            done <= 0;
            collecting <= 0;
            open <= 0;
            spilling <= 0;
            m_axil_awvalid <= 0;
            m_axil_wvalid <= 0;
            m_axil_arvalid <= 0;
            m_axis_tvalid <= 0;
        end
    end
endmodule

`resetall
