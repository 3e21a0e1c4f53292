"""The text of `decision_scores.sv` and `events_top.sv`."""

from __future__ import annotations

from collections.abc import Mapping

from hls.emit.banking import RESET_CYCLES
from hls.emit.events import DIVIDE_BITS, STATE_READ, EventPlan, heads_at
from hls.emit.ingress import Ingress
from hls.emit.text import AXI_NAMES, AXI_PORTS, CLOSE, OPEN, instance

EXP_FILE, SIGMOID_FILE, POLICY_FILE = "exp.hex", "sigmoid.hex", "policy.hex"

_SCORES = """// Generated: logits to calibrated scores, and which conditions they meet; all outputs at once.
//
// {decide} cycles after `start` the conditions of all outputs stand, a cycle before them the scores.
// Logits stand all the while.
module decision_scores #(
    parameter int RULES = 8,
    parameter int RULE_BITS = $clog2(RULES)
) (
    input  wire               clk,
    input  wire               set,
    input  wire               write_set,
    input  wire               start,
    input  wire [{y}-1:0] logits,
    output wire [RULES-1:0]   met,
    output wire [RULES-1:0]   kept,
    output reg                model_valid,  // every probability is one; with `met`
    output wire [{scores}-1:0] scores,
    input  wire [6:0]         up_output,
    input  wire [6:0]         down_output,
    output reg  signed [23:0] up_score,
    output reg  signed [23:0] down_score,
    input  wire               write,
    input  wire [15:0]        write_address,
    input  wire [31:0]        write_data
);
"""

_OUTPUT = """    wire signed [23:0] score_{k};
    wire [RULES-1:0] met_{k}, kept_{k};
    calibrate calibrate_{k} (
        .clk(clk), .set(set), .write_set(write_set), .share(share_{k}), .score(score_{k}),
        .write(write && write_address[15:12] == 3 && write_address[11:5] == {k}),
        .write_knot(write_address[4:0]), .write_value(write_data[16:0])
    );
    score_conditions #(.RULES(RULES)) conditions_{k} (
        .clk(clk), .set(set), .write_set(write_set), .score(score_{k}[15:0]), .met(met_{k}), .kept(kept_{k}),
        .write(write && write_address[15:12] == 2 && write_address[11:5] == {k}),
        .write_rule(write_address[RULE_BITS-1:0]), .write_value(write_data)
    );
    assign scores[{low}+:32] = {{{{8{{score_{k}[23]}}}}, score_{k}}};
"""


def decision_scores(plan: EventPlan) -> str:
    """Scores of the bundle's heads."""
    spec = plan.bundle.spec
    width, count = spec.logits.width, len(spec.outputs)
    text = [OPEN + _SCORES.format(decide=plan.decide_cycles, y=count * width, scores=count * 32)]
    probabilities: list[int] = []
    for at, head in heads_at(spec):
        outputs = range(at, at + len(head.outputs))
        if head.kind == "linear":
            text += [
                f"    wire signed [31:0] logit_{k} = $signed(logits[{k * width}+:{width}]);\n"
                f"    assign scores[{32 * k}+:32] = logit_{k};\n"
                for k in outputs
            ]
            continue
        probabilities += outputs
        text += [f"    wire [15:0] share_{k};\n" for k in outputs]
        if head.kind == "softmax":
            text.append(_softmax(plan, at, head.name, len(head.outputs)))
        else:
            text += [_sigmoid(plan, k) for k in outputs]
        text += [_OUTPUT.format(k=k, low=32 * k) for k in outputs]
    for name in ("met", "kept"):
        terms = " & ".join(f"{name}_{k}" for k in probabilities) or "{RULES{1'b1}}"
        text.append(f"    assign {name} = {terms};\n")
    valid = " && ".join(f"score_{k} >= 0 && score_{k} <= 32768" for k in probabilities) or "1'b1"
    text.append(f"    always @(posedge clk) model_valid <= {valid};\n")
    for way in ("up", "down"):
        cases = "".join(f"            {k}: {way}_score = score_{k};\n" for k in probabilities)
        text.append(
            f"    always @* begin\n        case ({way}_output)\n{cases}"
            f"            default: {way}_score = 0;\n        endcase\n    end\n"
        )
    return "".join(text) + "endmodule\n" + CLOSE


def _softmax(plan: EventPlan, at: int, name: str, count: int) -> str:
    spec = plan.bundle.spec
    shares = ", ".join(f"share_{k}" for k in reversed(range(at, at + count)))
    parameters: dict[str, int | str] = {
        "COUNT": count, "Y_WIDTH": spec.logits.width, "SHIFT": spec.exp_shift,
        "INDEX_BITS": _index_bits(plan, "exp_table"), "DIVIDE_BITS": DIVIDE_BITS, "INIT": EXP_FILE,
    }  # fmt: skip
    logits = f"logits[{at * spec.logits.width}+:{count * spec.logits.width}]"
    ports = {"clk": "clk", "start": "start", "logits": logits, "shares": f"{{{shares}}}"}
    return instance("softmax", f"softmax_{name}", parameters, ports)


def _sigmoid(plan: EventPlan, output: int) -> str:
    spec = plan.bundle.spec
    width = spec.logits.width
    parameters: dict[str, int | str] = {
        "Y_WIDTH": width, "SHIFT": spec.sigmoid_shift,
        "INDEX_BITS": _index_bits(plan, "sigmoid_table"), "INIT": SIGMOID_FILE,
    }  # fmt: skip
    logit = f"logits[{output * width}+:{width}]"
    ports = {"clk": "clk", "logit": logit, "share": f"share_{output}"}
    return instance("sigmoid_score", f"sigmoid_{output}", parameters, ports)


def _index_bits(plan: EventPlan, table: str) -> int:
    return (len(plan.bundle.weights[table]) - 1).bit_length()


_AXIL = [name for name in AXI_NAMES if "axil" in name]
_STREAMS = [name for name in AXI_NAMES if "axis" in name]
_COUNTERS = (
    "events", "duplicates", "gaps", "lost", "sessions", "malformed", "truncated", "stale", "escapes", "thin",
)  # fmt: skip
_BETWEEN = {
    "stale_on": 1, "stale_ns": 64, "weights_set": 1, "model_digest_0": 64, "model_digest_1": 64,
    "want_swap": 1, "want_policy": 1, "pending": 1, "swapped": 1, "policy_set": 1, "policy_write": 1,
    "policy_address": 16,
    "policy_data": 32, "load_write": 1, "load_address": 32, "load_data": 32, "begins": 1, "decide": 1,
}  # fmt: skip
_OUTER = {"write": 1, "write_address": 12, "write_data": 32, "read_address": 12, "data": 32}
"""Registers that lie outside of `event_registers`."""
_RESET = "    reg rst;\n    always @(posedge aclk) rst <= !aresetn;\n"
_LONG_RESET = f"""    reg rst;  // long enough for every instrument's memories
    reg [5:0] resets;
    always @(posedge aclk) begin
        resets <= !aresetn ? 6'd{RESET_CYCLES} : resets - (resets != 0);
        rst <= !aresetn || resets != 0;
    end
"""
_TITLE = "// Generated: the feature path with its parameters, one clock. See docs/wire_events.md.\n"


def _ingress_ports(ingress: Ingress) -> str:
    """The top's ports but the stages: those of PHYs instead of a stream of beats."""
    lines = [line for line in AXI_PORTS.splitlines() if "s_axis" not in line]
    for name, bits in (("rx_clk", 1), ("rx_control", 2), ("rx_data", 8)):
        lines[-1] = lines[-1].rstrip(",") + ","
        lines.append(f"    input  wire [{bits * len(ingress.lines) - 1}:0] {name}")
    return "\n".join(lines)


def _ingress(ingress: Ingress, instruments: int) -> str:
    """Beats for the path from `udp_ingress`."""
    beats = {name: name.removeprefix("s_axis") for name in _STREAMS if name.startswith("s_axis")}
    text = "".join(f"    wire {'[63:0] ' * (n == '_tdata')}{name};\n" for name, n in beats.items())
    ports = {"clk": "aclk", "rst": "rst", "read_data": "outer_data"}
    ports |= {name: f"outer_{name}" for name in _OUTER if name != "data"}
    ports |= {name: name for name in ("rx_clk", "rx_control", "rx_data")}
    ports |= {f"m_axis{n}": name for name, n in beats.items()}
    return text + instance("udp_ingress", "ingress", ingress.parameters(instruments), ports)


def events_top(
    plan: EventPlan,
    loader: Mapping[str, int | str],
    policy_words: int,
    ingress: Ingress | None = None,
) -> str:
    """The top of a feature path.

    Args:
        loader: the parameters of `event_registers` that say which images fit.
        ingress: in front of the path, instead of a stream of beats.
    """
    spec, shape = plan.bundle.spec, plan.shape
    feature_bits, logit_bits = (
        spec.features * spec.input.width,
        len(spec.outputs) * spec.logits.width,
    )
    path: dict[str, int | str] = {
        "INSTRUMENTS": shape.instruments, "WINDOW_BITS": shape.window_bits, "LEVELS": shape.levels,
        "FEATURES": spec.features, "X_WIDTH": spec.input.width, "OUTPUTS": len(spec.outputs),
        "Y_WIDTH": spec.logits.width, "RULES": shape.rules, "DECIDE": plan.decide_cycles,
        "POLICY_WORDS": policy_words, "POLICY_FILE": POLICY_FILE,
    }  # fmt: skip
    paths = shape.paths
    if paths > 1:
        units = [layer.units for layer in spec.lstm_layers]
        widest = max(max(one.hidden.width, one.cell.width) for one in spec.lstm_layers)
        path |= {
            "PATHS": paths, "LAYERS": len(units), "UNITS": sum(n << 16 * k for k, n in enumerate(units)),
            "STATE_WIDTH": widest, "STATE_READ": STATE_READ[plan.core.style],
        }  # fmt: skip
    registers: dict[str, int | str] = {
        **loader, "POLICY_WORDS": policy_words, "FEATURE_BITS": feature_bits, "LOGIT_BITS": logit_bits,
        "COUNTERS": len(_COUNTERS),
    }  # fmt: skip
    nets = dict(_BETWEEN) | dict.fromkeys(_COUNTERS, 32)
    nets |= {"tick_features": feature_bits, "y": logit_bits}
    declared = "".join(f"    wire [{width - 1}:0] {name};\n" for name, width in nets.items())
    clocked = {"clk": "aclk", "rst": "rst"} | {name: name for name in _BETWEEN}
    counters = ", ".join(reversed(_COUNTERS))
    path_ports = clocked | {
        name: name for name in (*_STREAMS, *_COUNTERS, "tick_features", "y", "stages")
    }
    path_ports |= {"want_clear": "1'b0"}
    declared += "".join(f"    wire [{width - 1}:0] outer_{n};\n" for n, width in _OUTER.items())
    register_ports = clocked | {name: name for name in _AXIL} | {
        "counters": f"{{{counters}}}", "features": "tick_features", "logits": "y",
        **{f"outer_{name}": f"outer_{name}" for name in _OUTER},
        "beat_taken": "m_axis_tvalid && m_axis_tready", "beat_last": "m_axis_tlast", "beat": "m_axis_tdata",
    }  # fmt: skip
    stages = "pulses: the book shows, the core takes features, logits, the policy decides"
    ports, front = AXI_PORTS, "    assign outer_data = 0;\n"
    if ingress is not None:
        ports, front = _ingress_ports(ingress), _ingress(ingress, shape.instruments)
    return (
        f"{_TITLE}{OPEN}module events_top (\n{ports},\n    output wire [ 3:0] stages  // {stages}\n);\n"
        f"{_RESET if paths == 1 else _LONG_RESET}{declared}{front}"
        + instance("event_registers", "registers", registers, register_ports)
        + instance("event_path", "path", path, path_ports)
        + f"endmodule\n{CLOSE}"
    )
