// Everything around the core: AXI4-Lite registers, frames on AXI4-Stream, mailbox, weight loader, ticks in order.
//
// docs/fabric.md says how it is used; firmware/registers.toml names the registers. The core's ports: docs/rtl.md.
`resetall
`timescale 1ns / 1ps
`default_nettype none

module fabric_shell #(
    parameter int FEATURES = 16,
    parameter int OUTPUTS = 11,
    parameter int X_WIDTH = 8,
    parameter int X_FRACTION = 5,
    parameter int X_ROUND = 1,
    parameter int WIRE_FRACTION = 5,
    parameter int INPUT_LANE = 8,
    parameter int Y_WIDTH = 16,
    parameter int OUTPUT_LANE = 16,
    parameter int WINDOW = 20,
    parameter int WINDOWED = 0,
    parameter int LAYERS = 1,
    parameter logic [63:0] UNITS = 64'd32,  // of each LSTM layer, 16 bits from bit 0
    parameter int STATE_WIDTH = 32,  // of the widest element of h and c
    parameter int LOADABLE = 1,
    parameter int IMAGE_WORDS = 1,
    parameter logic [63:0] FORMAT_DIGEST = 0,
    parameter MODEL_FILE = "model_digest.hex"  // as `loader` reads it
) (
    input  wire                        clk,
    input  wire                        rst,
    input  wire                        forgetting,    // beats from before a soft reset are still thrown away outside
    input  wire [                11:0] s_axil_awaddr,
    input  wire                        s_axil_awvalid,
    output wire                        s_axil_awready,
    input  wire [                31:0] s_axil_wdata,
    input  wire [                 3:0] s_axil_wstrb,
    input  wire                        s_axil_wvalid,
    output wire                        s_axil_wready,
    output wire [                 1:0] s_axil_bresp,
    output wire                        s_axil_bvalid,
    input  wire                        s_axil_bready,
    input  wire [                11:0] s_axil_araddr,
    input  wire                        s_axil_arvalid,
    output wire                        s_axil_arready,
    output wire [                31:0] s_axil_rdata,
    output wire [                 1:0] s_axil_rresp,
    output wire                        s_axil_rvalid,
    input  wire                        s_axil_rready,
    input  wire [                63:0] s_axis_tdata,
    input  wire                        s_axis_tvalid,
    input  wire                        s_axis_tlast,
    output wire                        s_axis_tready,
    output wire [                63:0] m_axis_tdata,
    output wire                        m_axis_tvalid,
    output wire                        m_axis_tlast,
    input  wire                        m_axis_tready,
    // the core
    output wire                        core_rst,      // of the core, and of what lies between it and the streams
    output wire                        x_valid,
    input  wire                        x_ready,
    output wire [FEATURES*X_WIDTH-1:0] x,
    output wire                        x_first,
    output wire                        x_answer,
    input  wire                        y_valid,
    output wire                        y_ready,
    input  wire [ OUTPUTS*Y_WIDTH-1:0] y,
    output wire                        clear,
    output wire                        swap,
    input  wire                        drained,
    input  wire                        idle,
    output wire [                 3:0] state_layer,
    output wire                        state_write,
    output wire [                12:0] state_address,
    output wire [                31:0] state_write_data,
    input  wire [                31:0] state_read_data,
    output wire                        load_write,
    output wire [                31:0] load_address,
    output wire [                31:0] load_data
);
    localparam int IN_BEATS = (FEATURES * INPUT_LANE + 63) / 64;
    localparam int OUT_BEATS = (OUTPUTS * OUTPUT_LANE + 63) / 64;

    initial begin
        if (LAYERS < 1 || LAYERS > 4) $fatal(1, "fabric_shell: 1 to 4 LSTM layers");
        if (WINDOW < 1 || WINDOW > 65535) $fatal(1, "fabric_shell: WINDOW between 1 and 65535");
    end

    // ---- registers
    wire write, refused, read;
    wire [11:0] write_address, read_address;
    wire [31:0] write_data;
    wire loader_busy, stage_busy;
    reg [31:0] read_data;
    axil_port port (
        .clk(clk), .rst(rst),
        .s_axil_awaddr(s_axil_awaddr), .s_axil_awvalid(s_axil_awvalid), .s_axil_awready(s_axil_awready),
        .s_axil_wdata(s_axil_wdata), .s_axil_wstrb(s_axil_wstrb), .s_axil_wvalid(s_axil_wvalid),
        .s_axil_wready(s_axil_wready), .s_axil_bresp(s_axil_bresp), .s_axil_bvalid(s_axil_bvalid),
        .s_axil_bready(s_axil_bready), .s_axil_araddr(s_axil_araddr), .s_axil_arvalid(s_axil_arvalid),
        .s_axil_arready(s_axil_arready), .s_axil_rdata(s_axil_rdata), .s_axil_rresp(s_axil_rresp),
        .s_axil_rvalid(s_axil_rvalid), .s_axil_rready(s_axil_rready),
        .write(write), .write_address(write_address), .write_data(write_data), .refused(refused),
        .write_busy(loader_busy || stage_busy || soft_reset || forgetting), .read(read), .read_address(read_address), .read_data(read_data)
    );

    reg enable, hold;
    reg [1:0] owner;
    reg [4:0] errors;
    reg soft_reset;
    reg want_clear, want_swap, want_take;
    reg active_set;
    wire [1:0] set_valid;
    wire pending, ready, prepared, quiet, acts, swap_waits, take_waits;

    wire is_command = write && write_address == registers_pkg::COMMAND;
    wire asks_reset = is_command && write_data[registers_pkg::COMMAND_RESET];
    // A register for the core and one for the blocks here, which stand apart: as one, its wires are the longest path.
    wire here_rst;
    copies #(.WIDTH(1), .COPIES(2)) reset_copies (.clk(clk), .d(rst || asks_reset), .q({core_rst, here_rst}));

    wire asks_swap = is_command && (write_data[registers_pkg::COMMAND_SWAP_KEEP]
                                    || write_data[registers_pkg::COMMAND_SWAP_CLEAR]
                                    || write_data[registers_pkg::COMMAND_SWAP_LOAD]);
    wire can_swap = LOADABLE != 0 && set_valid[!active_set] && !pending;
    wire is_word = write && write_address == registers_pkg::LOAD_DATA;
    wire is_state = write && write_address == registers_pkg::STATE_DATA;
    wire is_fill = write && write_address == registers_pkg::WINDOW_FILL;
    // the inactive set is not changed while a swap to it waits
    wire can_load = !swap_waits && !want_swap;

    // ---- state: an element of h and c, or of a kept vector; written to where `take` finds it, once no take is to come
    reg [31:0] state_place;
    wire [11:0] state_unit = state_place[11:0];
    wire [15:0] state_slot = state_place[27:12];
    wire kept_there, state_there;
    wire can_stage = (WINDOWED != 0 ? kept_there : state_there) && !take_waits && !want_take;
    wire can_fill = WINDOWED != 0 && write_data < WINDOW && !take_waits && !want_take;

    // ---- loader
    reg [31:0] next_address;
    reg [63:0] format_digest, model_digest;
    wire [31:0] load_count, load_crc;
    wire load_refused;
    wire [63:0] set_0_model, set_1_model;
    loader #(
        .LOADABLE(LOADABLE), .IMAGE_WORDS(IMAGE_WORDS), .FORMAT_DIGEST(FORMAT_DIGEST), .MODEL_FILE(MODEL_FILE)
    ) weights (
        .clk(clk), .rst(rst), .abort(soft_reset), .active_set(active_set),
        .start(write && write_address == registers_pkg::LOAD_START && can_load),
        .commit(write && write_address == registers_pkg::LOAD_COMMIT && can_load), .expected_crc(write_data),
        .format_digest(format_digest), .model_digest(model_digest),
        .word(is_word && can_load), .address(next_address), .data(write_data),
        .load_write(load_write), .load_address(load_address), .load_data(load_data), .busy(loader_busy),
        .count(load_count), .crc(load_crc), .valid(set_valid), .refused(load_refused),
        .set_0_model(set_0_model), .set_1_model(set_1_model)
    );

    // ---- mailbox
    wire [64*IN_BEATS-1:0] mail_beats;
    wire [31:0] mail_found;
    wire mail_valid, mail_ready, mail_too_large, mail_busy, mail_refused, mail_answered, stream_busy;
    mailbox #(
        .OUTPUTS(OUTPUTS), .Y_WIDTH(Y_WIDTH), .LANE(OUTPUT_LANE), .IN_BEATS(IN_BEATS), .OUT_BEATS(OUT_BEATS)
    ) mail (
        .clk(clk), .rst(here_rst), .open(enable && set_valid[active_set] && owner == 2), .active_set(active_set),
        .write(write), .write_address(write_address), .write_data(write_data),
        .read(read), .read_address(read_address), .found(mail_found),
        .valid(mail_valid), .ready(mail_ready), .beats(mail_beats), .too_large(mail_too_large),
        .busy(mail_busy), .refused(mail_refused), .y_valid(y_valid), .y(y), .answered(mail_answered)
    );

    // ---- frames and ticks
    wire v_valid, v_ready, v_step, v_first, v_inside, v_answer, v_wanted, in_window;
    wire [FEATURES*X_WIDTH-1:0] v;
    wire d_valid, d_saturated, d_room;
    wire [7:0] d_code;
    wire [15:0] d_answers;
    wire [31:0] d_sequence;
    axis_frame_in #(
        .FEATURES(FEATURES), .X_WIDTH(X_WIDTH), .X_FRACTION(X_FRACTION), .X_ROUND(X_ROUND),
        .WIRE_FRACTION(WIRE_FRACTION), .LANE(INPUT_LANE)
    ) frame_in (
        .clk(clk), .rst(here_rst), .enable(enable && set_valid[active_set]), .owned(owner == 1),
        .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tlast(s_axis_tlast),
        .s_axis_tready(s_axis_tready),
        .mail_valid(mail_valid), .mail_beats(mail_beats), .mail_ready(mail_ready),
        .mail_saturated(mail_too_large), .busy(stream_busy),
        .v_valid(v_valid), .v_ready(v_ready), .v(v), .v_step(v_step), .v_first(v_first), .v_inside(v_inside),
        .v_answer(v_answer), .v_wanted(v_wanted), .in_window(in_window),
        .d_valid(d_valid), .d_code(d_code), .d_answers(d_answers), .d_sequence(d_sequence), .d_saturated(d_saturated),
        .d_room(d_room)
    );
    wire take, taking;
    wire [15:0] kept_stored, kept_oldest;
    wire [31:0] kept_value;
    sequencer #(
        .FEATURES(FEATURES), .X_WIDTH(X_WIDTH), .WINDOW(WINDOW), .WINDOWED(WINDOWED)
    ) ticks (
        .clk(clk), .rst(here_rst), .hold(hold),
        .v_valid(v_valid), .v_ready(v_ready), .v(v), .v_step(v_step), .v_first(v_first), .v_inside(v_inside),
        .v_answer(v_answer), .in_window(in_window),
        .x_valid(x_valid), .x_ready(x_ready), .x(x), .x_first(x_first), .x_answer(x_answer),
        .drained(drained), .idle(idle), .clear(clear), .swap(swap),
        .want_clear(want_clear), .want_swap(want_swap), .want_take(want_take),
        .take(take), .taking(taking), .swap_waits(swap_waits), .take_waits(take_waits),
        .pending(pending), .acts(acts), .ready(ready), .prepared(prepared), .quiet(quiet),
        .kept_slot(state_slot), .kept_feature(state_unit), .kept_there(kept_there), .kept_value(kept_value),
        .stage_write(is_state && can_stage && WINDOWED != 0), .stage_value(write_data), .stage_busy(stage_busy),
        .stage_count_write(is_fill && can_fill), .stage_count(write_data[15:0]),
        .stored(kept_stored), .oldest(kept_oldest)
    );
    generate
        if (WINDOWED == 0) begin : g_state
            staged_state #(
                .LAYERS(LAYERS), .UNITS(UNITS), .WIDTH(STATE_WIDTH)
            ) state (
                .clk(clk), .rst(here_rst), .layer(state_place[29:28]), .cell_state(state_place[30]), .unit(state_unit),
                .there(state_there), .write(is_state && can_stage), .data(write_data), .take(take), .busy(taking),
                .state_layer(state_layer), .state_write(state_write), .state_address(state_address),
                .state_write_data(state_write_data)
            );
        end else begin : g_no_state
            // h and c follow from the kept vectors
            assign {state_there, taking, state_layer, state_write, state_address, state_write_data} = 0;
        end
    endgenerate
    wire frame_y_ready, began, bad_frame;
    axis_frame_out #(
        .OUTPUTS(OUTPUTS), .Y_WIDTH(Y_WIDTH), .LANE(OUTPUT_LANE)
    ) frame_out (
        .clk(clk), .rst(here_rst), .active_set(active_set),
        .y_valid(y_valid && !mail_busy), .y_ready(frame_y_ready), .y(y),
        .d_valid(d_valid), .d_code(d_code), .d_answers(d_answers), .d_sequence(d_sequence), .d_saturated(d_saturated),
        .d_room(d_room),
        .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(m_axis_tvalid), .m_axis_tlast(m_axis_tlast),
        .m_axis_tready(m_axis_tready), .began(began), .bad(bad_frame)
    );
    assign y_ready = mail_busy ? y_valid : frame_y_ready;

    // ---- counters
    wire [31:0] steps, cycles_last, cycles_min, cycles_max, bad_frames, stalls, swaps, refused_doorbells, pause_last;
    tick_counters counters (
        .clk(clk), .rst(here_rst), .loaded(v_wanted), .answered(began || mail_answered),
        .bad_frame(bad_frame), .stalled(m_axis_tvalid && !m_axis_tready), .swap(swap),
        .refused_doorbell(mail_refused), .acts(acts), .prepared(prepared),
        .steps(steps), .cycles_last(cycles_last), .cycles_min(cycles_min), .cycles_max(cycles_max),
        .bad_frames(bad_frames), .stalls(stalls), .swaps(swaps), .refused_doorbells(refused_doorbells),
        .pause_last(pause_last)
    );

    // taken by one, released by anyone; changed only when no tick of the former owner is under way
    wire can_own = write_data == 0 ? !mail_busy : owner == 0 && write_data < 3 && quiet && !stream_busy;
    wire is_owner = write && write_address == registers_pkg::OWNER;
    wire is_load = write && (write_address == registers_pkg::LOAD_START || write_address == registers_pkg::LOAD_DATA
                             || write_address == registers_pkg::LOAD_COMMIT);
    wire [4:0] new_errors;
    assign new_errors[registers_pkg::ERRORS_FRAME] = bad_frame;
    assign new_errors[registers_pkg::ERRORS_LOAD] = load_refused || (is_load && !can_load);
    assign new_errors[registers_pkg::ERRORS_SWAP] = asks_swap && !can_swap;
    assign new_errors[registers_pkg::ERRORS_ACCESS] = refused || (is_state && !can_stage)
                                                   || (is_fill && !can_fill) || (is_owner && !can_own);
    assign new_errors[registers_pkg::ERRORS_DOORBELL] = mail_refused;

    always @(posedge clk) begin
        soft_reset <= asks_reset;
        want_clear <= (is_command && write_data[registers_pkg::COMMAND_CLEAR])
                      || (asks_swap && can_swap && write_data[registers_pkg::COMMAND_SWAP_CLEAR]);
        want_swap <= asks_swap && can_swap && !want_swap;
        want_take <= (is_command && write_data[registers_pkg::COMMAND_LOAD])
                     || (asks_swap && can_swap && write_data[registers_pkg::COMMAND_SWAP_LOAD]);
        if (swap) active_set <= !active_set;
        errors <= (write && write_address == registers_pkg::ERRORS ? errors & ~write_data[4:0] : errors) | new_errors;
        if (write)
            case (write_address)
                registers_pkg::CONTROL: {hold, enable} <= write_data[1:0];
                registers_pkg::OWNER: if (can_own) owner <= write_data[1:0];
                registers_pkg::LOAD_ADDRESS: next_address <= write_data;
                registers_pkg::LOAD_DATA: if (can_load) next_address[7:0] <= next_address[7:0] + 1'b1;
                registers_pkg::LOAD_FORMAT_0: format_digest[63:32] <= write_data;
                registers_pkg::LOAD_FORMAT_1: format_digest[31:0] <= write_data;
                registers_pkg::LOAD_MODEL_0: model_digest[63:32] <= write_data;
                registers_pkg::LOAD_MODEL_1: model_digest[31:0] <= write_data;
                registers_pkg::STATE_ADDRESS: state_place <= write_data;
                registers_pkg::STATE_DATA: if (can_stage) state_place[11:0] <= state_unit + 1'b1;
                default: ;
            endcase

        if (here_rst) begin
            want_clear <= 0;
            want_swap <= 0;
            want_take <= 0;
            active_set <= 0;
        end
        if (rst) begin
            soft_reset <= 0;
            enable <= 0;
            hold <= 0;
            owner <= 0;
            errors <= 0;
            next_address <= 0;
            format_digest <= 0;
            model_digest <= 0;
            state_place <= 0;
        end
    end

    // ---- reading
    // groups, joined a cycle later: one choice among all is too long for a fast clock
    reg [31:0] read_fixed, read_status, read_load, read_state;
    always @(posedge clk) begin
        case (read_address)
            registers_pkg::IDENTITY: read_fixed <= registers_pkg::IDENTITY_VALUE;
            registers_pkg::VERSION: read_fixed <= registers_pkg::VERSION_VALUE;
            registers_pkg::FORMAT_DIGEST_0: read_fixed <= FORMAT_DIGEST[63:32];
            registers_pkg::FORMAT_DIGEST_1: read_fixed <= FORMAT_DIGEST[31:0];
            registers_pkg::SHAPE: read_fixed <= (OUTPUTS << registers_pkg::SHAPE_OUTPUTS) | FEATURES;
            registers_pkg::SERVING:
                read_fixed <= (LAYERS << registers_pkg::SERVING_LAYERS) | (LOADABLE << registers_pkg::SERVING_LOADABLE)
                             | (WINDOWED << registers_pkg::SERVING_WINDOWED) | WINDOW;
            registers_pkg::IMAGE_WORDS: read_fixed <= IMAGE_WORDS;
            registers_pkg::LANES: read_fixed <= (OUT_BEATS << 24) | (IN_BEATS << 16) | (OUTPUT_LANE << 8) | INPUT_LANE;
            default: read_fixed <= 0;
        endcase
        case (read_address)
            registers_pkg::CONTROL: read_status <= {30'd0, hold, enable};
            registers_pkg::STATUS:
                read_status <= {22'd0, owner, 1'b0, mail_busy, set_valid, active_set, pending || want_clear || want_swap || want_take,
                              quiet, ready};
            registers_pkg::ERRORS: read_status <= {27'd0, errors};
            registers_pkg::OWNER: read_status <= {30'd0, owner};
            registers_pkg::STEPS: read_status <= steps;
            registers_pkg::CYCLES_LAST: read_status <= cycles_last;
            registers_pkg::CYCLES_MIN: read_status <= cycles_min;
            registers_pkg::CYCLES_MAX: read_status <= cycles_max;
            registers_pkg::BAD_FRAMES: read_status <= bad_frames;
            registers_pkg::STALLS: read_status <= stalls;
            registers_pkg::SWAPS: read_status <= swaps;
            registers_pkg::REFUSED_DOORBELLS: read_status <= refused_doorbells;
            registers_pkg::PAUSE_LAST: read_status <= pause_last;
            default: read_status <= 0;
        endcase
        case (read_address)
            registers_pkg::LOAD_ADDRESS: read_load <= next_address;
            registers_pkg::LOAD_COUNT: read_load <= load_count;
            registers_pkg::LOAD_CRC: read_load <= load_crc;
            registers_pkg::LOAD_FORMAT_0: read_load <= format_digest[63:32];
            registers_pkg::LOAD_FORMAT_1: read_load <= format_digest[31:0];
            registers_pkg::LOAD_MODEL_0: read_load <= model_digest[63:32];
            registers_pkg::LOAD_MODEL_1: read_load <= model_digest[31:0];
            registers_pkg::SET_0_MODEL_0: read_load <= set_0_model[63:32];
            registers_pkg::SET_0_MODEL_1: read_load <= set_0_model[31:0];
            registers_pkg::SET_1_MODEL_0: read_load <= set_1_model[63:32];
            registers_pkg::SET_1_MODEL_1: read_load <= set_1_model[31:0];
            default: read_load <= 0;
        endcase
        case (read_address)
            registers_pkg::STATE_ADDRESS: read_state <= state_place;
            registers_pkg::STATE_DATA: read_state <= WINDOWED != 0 ? kept_value : state_read_data;
            registers_pkg::WINDOW_FILL: read_state <= {kept_oldest, kept_stored};
            default: read_state <= 0;
        endcase
        read_data <= read_fixed | read_status | read_load | read_state | mail_found;
    end
endmodule

`resetall
