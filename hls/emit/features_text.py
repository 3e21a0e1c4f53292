"""The text of `market_features.sv`."""

from __future__ import annotations

from hls.emit.features import LOG_FILE, MICRO_FILE, MODES, FeaturePlan, Job
from hls.emit.text import CLOSE, OPEN
from pyorch.contract.fixed import FixedFormat

_PORTS = """// Generated: the features of a schema from the book of `price_book`, those of pyorch.features.
//
// Wires `feature_control`, windows, averages, lanes of logarithms; hls/emit/features.py says in which order.
module market_features #(
    parameter int WINDOW_BITS = 14,
    parameter int LEVELS = 10,
    parameter int COUNT_BITS = $clog2(LEVELS + 1)
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_instrument,  // for several paths: hls/emit/banking.py
    output wire                      out_instrument,
    input  wire                      row_taken,      // by the book, and its local time
    input  wire [              63:0] row_local_ns,
    input  wire                      in_best,
    input  wire                      in_valid,
    output wire                      in_ready,
    input  wire [               2:0] in_kind,
    input  wire [               1:0] in_side,
    input  wire                      in_last,
    input  wire                      in_stale,
    input  wire                      in_own,
    input  wire [              31:0] in_number,
    input  wire [              63:0] in_local_ns,
    input  wire [              63:0] in_quantity_lots,
    input  wire                      valid,          // the book
    input  wire [              63:0] base,
    input  wire [    COUNT_BITS-1:0] bid_count,
    input  wire [LEVELS*WINDOW_BITS-1:0] bid_keys,
    input  wire [     LEVELS*40-1:0] bid_lots_all,
    input  wire [    COUNT_BITS-1:0] ask_count,
    input  wire [LEVELS*WINDOW_BITS-1:0] ask_keys,
    input  wire [     LEVELS*40-1:0] ask_lots_all,
    output wire                      out_valid,
    input  wire                      out_ready,
    output wire                      out_void,       // no tick: the book became void
    output wire [               2:0] out_kind,
    output wire [              31:0] out_number,
    output wire                      out_stale,
    output wire                      out_first,
    output wire [              63:0] out_now,
    output wire [              63:0] out_local_ns,   // of the row
    output wire signed [       42:0] out_mid,        // half-ticks
    output reg  [{bits}:0] features           // [feature], the first lowest
);
    initial if (LEVELS < {deepest}) $fatal(1, "market_features: the schema reads {deepest} levels");

    wire take, follow, drop, shown, start, clear, add_changes, add_trade, advance, begin_averages;
    wire hold_averages, step_on, last_written;
    wire windows_busy, averages_busy, offset_given, ratio_given, moved;
    wire [1:0] side;
    wire [39:0] lots, bid_lots, ask_lots;
    wire [{step_top}:0] step;
    wire signed [42:0] mid, flow;
    wire [20:0] spread;
    wire [41:0] square;
    wire signed [30:0] offset;
    assign out_mid = mid;
    assign out_instrument = 0;
    wire signed [51:0] micro = (mid <<< 8) + offset;
    feature_control #(.FIRST_WINDOW({first_window}), .FIRST_LEVEL({first_level}),
        .FIRST_AVERAGE({first_average}), .FIRST_PASSED({first_passed}), .STEPS({steps}),
        .STEP_BITS({step_bits})) control (
        .clk(clk), .rst(rst), .row_taken(row_taken), .row_local_ns(row_local_ns), .in_best(in_best),
        .in_valid(in_valid),
        .in_ready(in_ready),
        .in_kind(in_kind), .in_side(in_side), .in_last(in_last), .in_stale(in_stale), .in_own(in_own),
        .in_number(in_number), .in_local_ns(in_local_ns),
        .in_quantity_lots(in_quantity_lots), .quotable(valid && bid_count != 0 && ask_count != 0),
        .take(take), .follow(follow), .drop(drop), .shown(shown), .now(out_now),
        .start(start), .clear(clear), .windows_busy(windows_busy), .add_changes(add_changes),
        .add_trade(add_trade), .side(side),
        .lots(lots), .advance(advance), .averages_busy(averages_busy), .micro_given(offset_given),
        .begin_averages(begin_averages),
        .hold_averages(hold_averages), .step_on(step_on), .step(step), .last_written(last_written),
        .out_valid(out_valid),
        .out_ready(out_ready), .out_void(out_void), .out_local_ns(out_local_ns),
        .out_kind(out_kind), .out_number(out_number), .out_stale(out_stale),
        .out_first(out_first)
    );
    best_changes #(.WINDOW_BITS(WINDOW_BITS)) best (
        .clk(clk), .take(take), .base(base), .bid_key(bid_keys[WINDOW_BITS-1:0]),
        .bid_lots_now(bid_lots_all[39:0]),
        .ask_key(ask_keys[WINDOW_BITS-1:0]), .ask_lots_now(ask_lots_all[39:0]), .bid_lots(bid_lots),
        .ask_lots(ask_lots), .mid(mid),
        .spread(spread), .moved(moved), .flow(flow), .square(square)
    );
    wire signed [15:0] ratio;
    micro_offset #(.MICRO_INIT("{micro_file}")) distance (
        .clk(clk), .rst(rst || drop), .in_valid(ratio_given), .ratio(ratio), .spread(spread),
        .out_valid(offset_given), .offset(offset)
    );
    reg [63:0] changed;  // when the mid was last another
    always @(posedge clk) if ((start && clear) || (add_changes && moved)) changed <= out_now;
    wire [63:0] since = out_now - changed;
    wire [63:0] age = {{20'd0, since[63:20]}};
    wire [63:0] bought = side == 0 ? {{24'd0, lots}} : 64'd0, sold = side == 1 ? {{24'd0, lots}} : 64'd0;
    wire [63:0] order_flow = {{{{21{{flow[42]}}}}, flow}}, trade_flow
        = bought - sold, trades = 1, squares = {{22'd0, square}};
"""


def market_features(plan: FeaturePlan) -> str:
    """The module's text."""
    schema = plan.schema
    deepest = max([1, *(depth for _, depth in plan.terms)])
    steps = len(plan.steps)
    step_bits = steps.bit_length()
    count = len(schema.features)
    index_bits = max(1, (count - 1).bit_length())
    text = [
        OPEN + _PORTS.format(
            bits=f"{count * schema.format.width}-1", deepest=deepest, step_top=step_bits - 1,
            first_window=plan.first_window, first_level=plan.first_level,
            first_passed=plan.first_passed, first_average=plan.first_average, steps=steps,
            step_bits=step_bits, micro_file=MICRO_FILE,
        )
    ]  # fmt: skip
    text += [_terms(k, side, depth) for k, (side, depth) in enumerate(plan.terms)]
    text += [_window(k, source, bits) for k, (source, bits) in enumerate(plan.windows)]
    text += [_average(k, bits, shift) for k, (bits, shift) in enumerate(plan.averages)]
    for name, number in (("window", len(plan.windows)), ("average", len(plan.averages))):
        busy = " || ".join(f"{name}_{k}_busy" for k in range(number)) or "1'b0"
        text.append(f"    assign {name}s_busy = {busy};\n")
    text.append("\n    // ---- lanes\n")
    text += [_lane(plan, lane, index_bits) for lane in range(plan.lanes)]
    lasts = " || ".join(f"(lane_{k}_written && lane_{k}_last_written)" for k in range(plan.lanes))
    text.append(f"    assign last_written = {lasts};\n")
    text.append("    assign ratio_given = lane_0_micro;\n    assign ratio = lane_0_raw[15:0];\n")
    width = schema.format.width
    text.append("    always @(posedge clk) begin\n")
    for lane in range(plan.lanes):
        place = f"lane_{lane}_written_index*{width}+:{width}"
        text.append(f"        if (lane_{lane}_written) features[{place}] <= lane_{lane}_feature;\n")
    text.append("    end\nendmodule\n" + CLOSE)
    return "".join(text)


def _terms(number: int, side: int, depth: int) -> str:
    name = ("bid", "ask")[side]
    return f"""    wire [39+COUNT_BITS:0] total_{number};
    wire [42:0] span_{number};
    level_terms #(.WINDOW_BITS(WINDOW_BITS), .LEVELS(LEVELS), .DEPTH({depth}),
        .BIDS({1 - side})) terms_{number} (
        .clk(clk), .follow(follow), .base(base), .count({name}_count), .keys({name}_keys),
        .lots({name}_lots_all), .total(total_{number}),
        .span(span_{number})
    );
"""


def _window(number: int, source: str, bits: int) -> str:
    add = "add_changes" if source in ("order_flow", "squares") else "add_trade"
    return f"""    wire signed [63:0] window_{number};  // {source}
    wire window_{number}_busy;
    window_sum #(.BUCKET_BITS({bits})) sum_{number} (
        .clk(clk), .start(start), .clear(clear), .now(out_now), .busy(window_{number}_busy), .add({add}),
        .value({source}),
        .total(window_{number})
    );
"""


def _average(number: int, bits: int, shift: int) -> str:
    return f"""    wire signed [59:0] average_{number};
    wire average_{number}_busy;
    edge_average #(.BUCKET_BITS({bits}), .SHIFT({shift})) ema_{number} (
        .clk(clk), .start(advance), .begin_now(begin_averages), .hold(hold_averages), .now(out_now),
        .value(micro),
        .busy(average_{number}_busy), .average(average_{number})
    );
"""


def _lane(plan: FeaturePlan, lane: int, index_bits: int) -> str:
    schema: FixedFormat = plan.schema.format
    features = plan.schema.features
    width = max(1, *(plan.multiplier(feature).bit_length() for feature in features))
    own = sorted({job.feature for jobs in plan.steps if (job := jobs[lane]) and _writes(job)})
    cases = "".join(
        _case(k, job, f"lane_{lane}", _ends(plan, k))
        for k, jobs in enumerate(plan.steps)
        if (job := jobs[lane])
    )
    constants = "".join(
        f"            {k}: begin\n"
        f"                lane_{lane}_offset = {_signed(32, features[k].offset)};\n"
        f"                lane_{lane}_factor = {plan.multiplier(features[k])};\n            end\n"
        for k in own
    )
    name = f"lane_{lane}"
    return f"""    reg {name}_on, {name}_ends;
    reg [2:0] {name}_mode;
    reg signed [63:0] {name}_value;
    reg [52:0] {name}_addend;
    reg [5:0] {name}_knee;
    reg [{index_bits - 1}:0] {name}_feature_index;
    always @(posedge clk) begin
        {name}_on <= 0;
        {name}_ends <= 0;
        {name}_mode <= 0;
        {name}_value <= 0;
        {name}_addend <= 0;
        {name}_knee <= 0;
        {name}_feature_index <= 0;
        case (step)
{cases}            default: ;
        endcase
        if (!step_on || rst || drop) {name}_on <= 0;
    end
    wire {name}_given, {name}_micro, {name}_last, {name}_written, {name}_last_written;
    wire signed [31:0] {name}_raw;
    wire [{index_bits - 1}:0] {name}_index, {name}_written_index;
    wire signed [{schema.width - 1}:0] {name}_feature;
    feature_lane #(.INDEX_BITS({index_bits}), .LOG_INIT("{LOG_FILE}")) {name} (
        .clk(clk), .rst(rst || drop), .in_valid({name}_on), .in_mode({name}_mode), .in_value({name}_value),
        .in_addend({name}_addend),
        .in_knee({name}_knee), .in_index({name}_feature_index), .in_last({name}_ends),
        .out_valid({name}_given),
        .out_micro({name}_micro), .raw({name}_raw), .index({name}_index), .last({name}_last)
    );
    reg {name}_scaling, {name}_scaling_last;
    reg signed [31:0] {name}_offset;
    reg signed [32:0] {name}_from_offset;
    reg [{width - 1}:0] {name}_factor, {name}_multiplier;
    reg [{index_bits - 1}:0] {name}_scaling_index;
    always @(posedge clk) begin
        {name}_scaling <= {name}_given && !rst && !drop;
        {name}_scaling_last <= {name}_last;
        {name}_scaling_index <= {name}_index;
        {name}_from_offset <= {name}_raw - {name}_offset;
        {name}_multiplier <= {name}_factor;
    end
    always @* begin
        {name}_offset = 0;
        {name}_factor = 0;
        case ({name}_index)
{constants}            default: ;
        endcase
    end
    normalise #(
        .MULTIPLIER_WIDTH({width}), .SHIFT({plan.shift}), .WIDTH({schema.width}),
        .MINIMUM({schema.minimum}), .MAXIMUM({schema.maximum}),
        .INDEX_BITS({index_bits})
    ) {name}_scale (
        .clk(clk), .rst(rst || drop), .in_valid({name}_scaling), .from_offset({name}_from_offset),
        .multiplier({name}_multiplier),
        .in_index({name}_scaling_index), .in_last({name}_scaling_last), .out_valid({name}_written),
        .feature({name}_feature),
        .index({name}_written_index), .last({name}_last_written)
    );
"""


def _writes(job: Job) -> bool:
    return job.mode not in ("KEEP", "MICRO")


def _signed(width: int, value: int) -> str:
    return f"-{width}'sd{-value}" if value < 0 else f"{width}'sd{value}"


def _ends(plan: FeaturePlan, step: int) -> str:
    """Whether a step is a tick's last: an expression, empty for none's."""
    shown, passed = step == plan.ends(True), step == plan.ends(False)
    return "1" if shown and passed else "shown" if shown else "!shown" if passed else ""


def _case(step: int, job: Job, name: str, ends: str) -> str:
    values = {"value": job.value, "mode": f"3'd{MODES.index(job.mode)}", "on": 1}
    values |= {"addend": job.addend} if job.addend else {}
    values |= {"knee": job.knee} if job.knee else {}
    values |= {"feature_index": job.feature} if _writes(job) and job.feature else {}
    values |= {"ends": ends} if ends and _writes(job) else {}
    lines = [f"                {name}_{key} <= {value};\n" for key, value in values.items()]
    return f"            {step}: begin\n{''.join(lines)}            end\n"
