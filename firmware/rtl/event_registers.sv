// Registers of a feature path (docs/wire_events.md, "Registers"): weights and policy into their inactive sets, swaps, the audit record.
//
// Weights and policy are loaded as the shell loads weights (`loader`): start, words, commit with a CRC. A swap to a set that is not valid
// is refused; of weights and policy asked for together, both or none. `freeze` arms the record: the next decision is kept in it.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module event_registers #(
    parameter int LOADABLE = 1,
    parameter int IMAGE_WORDS = 1,
    parameter logic [63:0] FORMAT_DIGEST = 0,
    parameter MODEL_FILE = "",
    parameter int POLICY_WORDS = 1,
    parameter logic [63:0] POLICY_FORMAT = 0,
    parameter int FEATURE_BITS = 128,
    parameter int LOGIT_BITS = 176,
    parameter int COUNTERS = 11
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire [            11:0] s_axil_awaddr,
    input  wire                    s_axil_awvalid,
    output wire                    s_axil_awready,
    input  wire [            31:0] s_axil_wdata,
    input  wire [             3:0] s_axil_wstrb,
    input  wire                    s_axil_wvalid,
    output wire                    s_axil_wready,
    output wire [             1:0] s_axil_bresp,
    output wire                    s_axil_bvalid,
    input  wire                    s_axil_bready,
    input  wire [            11:0] s_axil_araddr,
    input  wire                    s_axil_arvalid,
    output wire                    s_axil_arready,
    output wire [            31:0] s_axil_rdata,
    output wire [             1:0] s_axil_rresp,
    output wire                    s_axil_rvalid,
    input  wire                    s_axil_rready,
    output wire                    outer_write,    // registers at 0x800 and above, which lie elsewhere
    output wire [            11:0] outer_write_address,
    output wire [            31:0] outer_write_data,
    output wire [            11:0] outer_read_address,
    input  wire [            31:0] outer_data,     // a cycle after it
    output reg                     stale_on,
    output reg  [            63:0] stale_ns,
    // the path
    output reg                     weights_set,
    output wire [            63:0] model_digest_0,
    output wire [            63:0] model_digest_1,
    output reg                     want_swap,
    output reg                     want_policy,
    input  wire                    pending,
    input  wire                    swapped,
    input  wire                    policy_set,
    output wire                    policy_write,
    output wire [            15:0] policy_address,
    output wire [            31:0] policy_data,
    output wire                    load_write,
    output wire [            31:0] load_address,
    output wire [            31:0] load_data,
    input  wire [32*COUNTERS-1:0]  counters,
    // the decision under way
    input  wire                    begins,
    input  wire                    decide,
    input  wire [FEATURE_BITS-1:0] features,
    input  wire [  LOGIT_BITS-1:0] logits,
    input  wire                    beat_taken,
    input  wire                    beat_last,
    input  wire [            63:0] beat
);
    localparam logic [31:0] IDENTITY = 32'h50594556, VERSION = 1;
    localparam logic [11:0] COMMAND = 12'h024, ERRORS = 12'h02C, STALE = 12'h030, STALE_LOW = 12'h034, STALE_HIGH = 12'h038;
    localparam logic [11:0] LOAD_ADDRESS = 12'h080, LOAD_DATA = 12'h084, LOAD_FORMAT_0 = 12'h090, LOAD_FORMAT_1 = 12'h094;
    localparam logic [11:0] LOAD_MODEL_0 = 12'h098, LOAD_MODEL_1 = 12'h09C, LOAD_START = 12'h0A0, LOAD_COMMIT = 12'h0A4;
    localparam logic [11:0] POLICY_ADDRESS = 12'h100, POLICY_DATA = 12'h104, POLICY_START = 12'h110, POLICY_COMMIT = 12'h114;

    initial if (FEATURE_BITS > 512 || LOGIT_BITS > 512) $fatal(1, "event_registers: 512 bits of features and of logits at most");

    reg word, policy_word;
    wire write, read, loader_busy, policy_busy;
    wire [11:0] write_address, read_address;
    wire [31:0] write_data;
    reg [31:0] read_data;
    axil_port port (
        .clk(clk), .rst(rst), .s_axil_awaddr(s_axil_awaddr), .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
        .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid), .s_axil_wready(s_axil_wready),
        .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid), .s_axil_bready(s_axil_bready), .s_axil_araddr(s_axil_araddr),
        .s_axil_arvalid(s_axil_arvalid), .s_axil_arready(s_axil_arready), .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
        .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready), .write(write), .write_address(write_address),
        .write_data(write_data), .refused(), .write_busy(word || policy_word || loader_busy || policy_busy), .read(read), .read_address(read_address),
        .read_data(read_data)
    );

    assign outer_write = write && write_address[11];
    assign outer_write_address = write_address;
    assign outer_write_data = write_data;
    assign outer_read_address = read_address;

    // ---- loads
    reg [31:0] address, policy_place;
    reg [63:0] format_digest, model_digest;
    reg start, commit, policy_start, policy_commit;
    reg [31:0] data;
    wire [31:0] load_count, load_crc, policy_count, policy_crc;
    wire [1:0] weights_valid, policy_loaded;
    wire load_refused, policy_refused;
    wire [63:0] policy_digest_0, policy_digest_1;
    loader #(.LOADABLE(LOADABLE), .IMAGE_WORDS(IMAGE_WORDS), .FORMAT_DIGEST(FORMAT_DIGEST), .MODEL_FILE(MODEL_FILE)) weights (
        .clk(clk), .rst(rst), .abort(1'b0), .active_set(weights_set), .start(start), .commit(commit), .expected_crc(data),
        .format_digest(format_digest), .model_digest(model_digest), .word(word), .address(address), .data(data),
        .load_write(load_write), .load_address(load_address), .load_data(load_data), .busy(loader_busy), .count(load_count),
        .crc(load_crc), .valid(weights_valid), .refused(load_refused), .set_0_model(model_digest_0), .set_1_model(model_digest_1)
    );
    wire [31:0] policy_load_address;
    loader #(.LOADABLE(1), .IMAGE_WORDS(POLICY_WORDS), .FORMAT_DIGEST(POLICY_FORMAT)) rules (
        .clk(clk), .rst(rst), .abort(1'b0), .active_set(policy_set), .start(policy_start), .commit(policy_commit),
        .expected_crc(data), .format_digest(format_digest), .model_digest(model_digest), .word(policy_word),
        .address(policy_place), .data(data), .load_write(policy_write), .load_address(policy_load_address),
        .load_data(policy_data), .busy(policy_busy), .count(policy_count), .crc(policy_crc), .valid(policy_loaded),
        .refused(policy_refused), .set_0_model(policy_digest_0), .set_1_model(policy_digest_1)
    );
    assign policy_address = policy_load_address[15:0];
    reg rebuilt;  // set 0 of the policy is what the reset wrote
    wire [1:0] policy_valid = {policy_loaded[1], policy_loaded[0] || rebuilt};

    // ---- writes
    reg armed, capturing, frozen;
    reg [2:0] errors;  // load, policy, swap
    wire command = write && write_address == COMMAND;
    wire may_weights = !write_data[0] || weights_valid[!weights_set], may_policy = !write_data[1] || policy_valid[!policy_set];
    wire may = may_weights && may_policy && !pending;
    always @(posedge clk) begin
        word <= write && write_address == LOAD_DATA;
        start <= write && write_address == LOAD_START;
        commit <= write && write_address == LOAD_COMMIT;
        policy_word <= write && write_address == POLICY_DATA && !pending;
        policy_start <= write && write_address == POLICY_START;
        policy_commit <= write && write_address == POLICY_COMMIT;
        data <= write_data;
        want_swap <= command && write_data[0] && may;
        want_policy <= command && write_data[1] && may;
        if (word) address <= {address[31:8], address[7:0] + 1'b1};
        if (write) begin
            case (write_address)
                ERRORS: errors <= errors & ~write_data[2:0];
                STALE: stale_on <= write_data[0];
                STALE_LOW: stale_ns[31:0] <= write_data;
                STALE_HIGH: stale_ns[63:32] <= write_data;
                LOAD_ADDRESS: address <= write_data;
                LOAD_FORMAT_0: format_digest[63:32] <= write_data;
                LOAD_FORMAT_1: format_digest[31:0] <= write_data;
                LOAD_MODEL_0: model_digest[63:32] <= write_data;
                LOAD_MODEL_1: model_digest[31:0] <= write_data;
                POLICY_ADDRESS: policy_place <= write_data;
                default: ;
            endcase
        end
        if (load_refused) errors[0] <= 1;
        if (policy_refused || (write && write_address == POLICY_DATA && pending)) errors[1] <= 1;
        if (command && write_data[1:0] != 0 && !may) errors[2] <= 1;
        if (swapped) weights_set <= !weights_set;
        if ((policy_word || policy_start) && policy_set) rebuilt <= 0;
        if (rst) begin
            {word, start, commit, policy_word, policy_start, policy_commit, want_swap, want_policy} <= 0;
            errors <= 0;
            weights_set <= 0;
            rebuilt <= 1;
            stale_on <= 1;
            stale_ns <= 64'd3000000;
        end
    end

    // ---- the audit record
    reg [63:0] beats[0:15];
    reg [3:0] place;
    reg [511:0] kept_features, kept_logits;
    always @(posedge clk) begin
        if (capturing && beat_taken) beats[place] <= beat;
        if (decide && capturing) begin
            kept_features <= features;
            kept_logits <= logits;
        end
        if (beat_taken) place <= beat_last ? 4'd0 : place + 1'b1;
        if (begins && armed) {armed, capturing} <= 2'b01;
        if (capturing && beat_taken && beat_last) begin
            capturing <= 0;
            frozen <= 1;
        end
        if (command && write_data[2]) {armed, capturing, frozen} <= 3'b100;
        if (rst) begin
            {armed, capturing, frozen} <= 0;
            place <= 0;
        end
    end

    // ---- reads
    reg [31:0] control, recorded;
    reg [63:0] read_beat;
    wire [32*32-1:0] all_counters = counters;
    always @(posedge clk) begin
        case (read_address)
            12'h000: control <= IDENTITY;
            12'h004: control <= VERSION;
            12'h008: control <= FORMAT_DIGEST[63:32];
            12'h00C: control <= FORMAT_DIGEST[31:0];
            12'h010: control <= POLICY_FORMAT[63:32];
            12'h014: control <= POLICY_FORMAT[31:0];
            12'h018: control <= IMAGE_WORDS;
            12'h01C: control <= POLICY_WORDS;
            12'h028: control <= {23'd0, frozen, 1'b0, policy_valid, weights_valid, policy_set, weights_set, pending};
            ERRORS: control <= {29'd0, errors};
            STALE: control <= {31'd0, stale_on};
            STALE_LOW: control <= stale_ns[31:0];
            STALE_HIGH: control <= stale_ns[63:32];
            12'h088: control <= load_count;
            12'h08C: control <= load_crc;
            12'h108: control <= policy_count;
            12'h10C: control <= policy_crc;
            default: control <= read_address[11:7] == 5'b00011 ? all_counters[32*read_address[6:2]+:32] : 32'd0;  // 0x180
        endcase
        read_beat <= beats[read_address[6:3]];
        recorded <= !read_address[7] ? (read_address[2] ? read_beat[63:32] : read_beat[31:0])
                  : read_address[6] ? kept_logits[32*read_address[5:2]+:32] : kept_features[32*read_address[5:2]+:32];
        read_data <= read_address[11] ? outer_data : read_address[11:8] == 4'h2 ? recorded : control;
    end
endmodule

`resetall
