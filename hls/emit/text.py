"""The generated SystemVerilog: parameter package, core and top. It only wires blocks of `firmware/rtl`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hls.emit.style import Block, StylePlan
from pyorch.contract.model import LstmLayer, ModelSpec

OPEN = "`resetall\n`timescale 1ns / 1ps\n`default_nettype none\n\n"
CLOSE = "\n`resetall\n"

AXI_PORTS = """    input  wire        aclk,
    input  wire        aresetn,
    input  wire [11:0] s_axil_awaddr,
    input  wire [ 2:0] s_axil_awprot,
    input  wire        s_axil_awvalid,
    output wire        s_axil_awready,
    input  wire [31:0] s_axil_wdata,
    input  wire [ 3:0] s_axil_wstrb,
    input  wire        s_axil_wvalid,
    output wire        s_axil_wready,
    output wire [ 1:0] s_axil_bresp,
    output wire        s_axil_bvalid,
    input  wire        s_axil_bready,
    input  wire [11:0] s_axil_araddr,
    input  wire [ 2:0] s_axil_arprot,
    input  wire        s_axil_arvalid,
    output wire        s_axil_arready,
    output wire [31:0] s_axil_rdata,
    output wire [ 1:0] s_axil_rresp,
    output wire        s_axil_rvalid,
    input  wire        s_axil_rready,
    input  wire [63:0] s_axis_tdata,
    input  wire        s_axis_tvalid,
    input  wire        s_axis_tlast,
    output wire        s_axis_tready,
    output wire [63:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    output wire        m_axis_tlast,
    input  wire        m_axis_tready"""

AXI_NAMES = [
    line.split()[-1].rstrip(",")
    for line in AXI_PORTS.splitlines()
    if "aclk" not in line and "aresetn" not in line and "prot" not in line
]

CORE_PORTS = """    input  wire                        clk,
    input  wire                        rst,
    input  wire                        x_valid,
    output wire                        x_ready,
    input  wire [{x}-1:0] x,
    input  wire                        x_first,
    input  wire                        x_answer,
    output wire                        y_valid,
    input  wire                        y_ready,
    output wire [{y}-1:0] y,
    input  wire                        clear,
    input  wire                        swap,
    output wire                        drained,
    output wire                        idle,
    input  wire [ 3:0]                 state_layer,
    input  wire                        state_write,
    input  wire [12:0]                 state_address,
    input  wire [31:0]                 state_write_data,
    output wire [31:0]                 state_read_data,
    input  wire                        load_write,
    input  wire [31:0]                 load_address,
    input  wire [31:0]                 load_data"""

CORE_NAMES = [line.split()[-1].rstrip(",") for line in CORE_PORTS.splitlines()][2:]


def instance(
    module: str, name: str, parameters: Mapping[str, int | str], ports: Mapping[str, str]
) -> str:
    """An instance of a module."""

    def value(given: int | str) -> str:
        if isinstance(given, str):
            return f'"{given}"'
        return str(given) if given.bit_length() < 32 else f"{given.bit_length()}'d{given}"

    head = f"    {module} "
    if parameters:
        lines = ",\n".join(f"        .{key}({value(v)})" for key, v in parameters.items())
        head += f"#(\n{lines}\n    ) "
    lines = ",\n".join(f"        .{key}({net})" for key, net in ports.items())
    return f"{head}{name} (\n{lines}\n    );\n"


def package_text(shell: Mapping[str, int | str]) -> str:
    """The parameter package: shape, lanes, format digest."""
    lines = []
    for name, value in shell.items():
        kind = "logic [63:0]" if isinstance(value, str) else "int"
        lines.append(f"    localparam {kind} {name} = {value};\n")
    body = "".join(lines)
    title = "// The parameters of this fabric: the same for all models of its format.\n"
    return f"{title}{OPEN}package model_pkg;\n{body}endpackage\n{CLOSE}"


def top_text(package: Iterable[str], clocks: int) -> str:
    """The top: shell and core, in the streams' clock or in one of their own.

    Args:
        package: names of the parameters.
        clocks: 1, or 2: a port ``core_clk`` beside ``aclk``.
    """
    widths = {
        "x": "[model_pkg::FEATURES*model_pkg::X_WIDTH-1:0] ",
        "y": "[model_pkg::OUTPUTS*model_pkg::Y_WIDTH-1:0] ",
        "state_layer": "[3:0] ",
        "state_address": "[12:0] ",
        "state_write_data": "[31:0] ",
        "state_read_data": "[31:0] ",
        "load_address": "[31:0] ",
        "load_data": "[31:0] ",
    }
    nets = "".join(
        f"    wire {widths.get(name, '')}{name};\n" for name in ["core_rst", *CORE_NAMES]
    )
    parameters = ",\n".join(f"        .{name}(model_pkg::{name})" for name in package)
    two = clocks == 2
    clk, rst, prefix = ("core_clk", "shell_rst", "c_") if two else ("aclk", "rst", "")
    shell_ports = {"clk": clk, "rst": rst, "forgetting": "forgetting" if two else "1'b0"}
    shell_ports |= {name: f"{prefix}{name}" for name in AXI_NAMES}
    shell_ports |= {name: name for name in ["core_rst", *CORE_NAMES]}
    ports = ",\n".join(f"        .{key}({net})" for key, net in shell_ports.items())
    core = instance(
        "fabric_core", "core", {}, {"clk": clk, "rst": "core_rst"} | {n: n for n in CORE_NAMES}
    )
    return (
        "// The fabric: registers, frames and ticks around the model's core, "
        + ("in a clock of their own.\n" if two else "one clock.\n")
        + f"{OPEN}module fabric_top (\n"
        + ("    input  wire        core_clk,\n" if two else "")
        + f"{AXI_PORTS}\n);\n    reg rst;\n"
        f"    always @(posedge aclk) rst <= !aresetn;\n{nets}\n"
        + (_crossing() if two else "")
        + f"    fabric_shell #(\n{parameters}\n    ) shell (\n{ports}\n    );\n{core}endmodule\n{CLOSE}"
    )


def _crossing() -> str:
    """The nets of the shell's side, and what lies between them and the ports."""
    wide = {
        "awaddr": 12,
        "araddr": 12,
        "wdata": 32,
        "rdata": 32,
        "wstrb": 4,
        "bresp": 2,
        "rresp": 2,
    }
    wide["tdata"] = 64

    def declared(name: str) -> str:
        width = wide.get(name.rsplit("_", 1)[1], 1)
        return f"    wire {f'[{width - 1}:0] ' if width > 1 else ''}c_{name};\n"

    control = [name for name in AXI_NAMES if "axil" in name]
    streams = [name for name in AXI_NAMES if "axis" in name]
    sides = {"clk": "aclk", "rst": "rst"}
    beyond = {"core_clk": "core_clk", "core_rst": "shell_rst"}
    return (
        "    // the core's side of every port\n    wire shell_rst, forgetting;\n"
        + "".join(declared(name) for name in AXI_NAMES)
        + instance(
            "reset_synchroniser", "reset_crossing", {},
            {"clk": "core_clk", "request_n": "aresetn", "rst": "shell_rst"},
        )
        + instance(
            "axil_crossing", "control_crossing", {},
            sides | {name: name for name in control} | beyond
            | {f"m{name[1:]}": f"c_{name}" for name in control},
        )
        + instance(
            "stream_crossing", "frame_crossing", {},
            sides | {name: name for name in streams} | beyond
            | {"forget": "core_rst", "busy": "forgetting"}
            | {f"{'x' if name[0] == 's' else 'y'}{name[1:]}": f"c_{name}" for name in streams},
        )
        + "\n"
    )  # fmt: skip


def core_text(spec: ModelSpec, plan: StylePlan) -> str:
    """The core: the layers in a chain."""
    x_width, y_width = spec.features * spec.input.width, len(spec.outputs) * spec.logits.width
    text = [
        f"// The layers in a chain, style {plan.style}.\n{OPEN}",
        f"module fabric_core (\n{CORE_PORTS.format(x=x_width, y=y_width)}\n);\n",
    ]
    lstms = [block for block in plan.blocks if block.kind == "lstm"]
    count = len(plan.blocks)
    ends_in_lstm = plan.blocks[-1].kind == "lstm"
    gathers = len(lstms) - 1 + int(ends_in_lstm)
    text.append(
        f"    wire [{count - 1}:0] blocks_drained, blocks_idle;\n"
        f"    wire [{max(gathers - 1, 0)}:0] gathers_drained;\n"
        f"    wire [32*{len(lstms)}-1:0] layer_states;\n"
    )
    gathered = "&gathers_drained" if gathers else "1'b1"
    text.append(
        f"    assign drained = (&blocks_drained) && {gathered};\n"
        f"    assign idle = (&blocks_idle) && {gathered};\n"
        "    assign state_read_data = layer_states[32*state_layer+:32];\n"
    )
    incoming = "x"  # the prefix of the nets that carry the present vector
    for number, (layer, block) in enumerate(zip(spec.layers, plan.blocks, strict=True)):
        common = {
            "clk": "clk",
            "rst": "rst",
            "swap": "swap",
            "drained": f"blocks_drained[{number}]",
            "idle": f"blocks_idle[{number}]",
            "load_write": "load_write",
            "load_address": "load_address",
            "load_data": "load_data",
        }
        name = f"{block.kind}_{number}"
        last = number == count - 1
        if isinstance(layer, LstmLayer):
            text.append(_stream(name, block.chunk * layer.hidden.width))
            text.append(
                instance(
                    block.module,
                    f"layer_{number}",
                    block.parameters,
                    common
                    | {
                        f"x{s}": f"{incoming}{s}"
                        for s in ("_valid", "_ready", "", "_first", "_answer")
                    }
                    | {
                        f"h{s}": f"{name}{s}"
                        for s in ("_valid", "_last", "", "_first", "_answer", "_ready")
                    }
                    | {
                        "clear": "clear",
                        "state_write": f"state_write && state_layer == {number}",
                        "state_address": "state_address",
                        "state_write_data": "state_write_data",
                        "state_read_data": f"layer_states[{32 * number}+:32]",
                    },
                )
            )
            incoming = name
            if last or plan.blocks[number + 1].kind == "lstm":
                incoming = _gather(text, layer, block, name, number, last)
        else:
            out = "y" if last else name
            if not last:
                text.append(_stream(name, layer.units * layer.output.width))
                text.append(f"    assign {name}_last = 1'b1;\n")
            nets = {f"y{s}": f"{out}{s}" for s in ("_valid", "_ready", "")}
            nets |= {
                "y_first": "" if last else f"{out}_first",
                "y_answer": "" if last else f"{out}_answer",
            }
            text.append(
                instance(
                    block.module,
                    f"layer_{number}",
                    block.parameters,
                    common
                    | {
                        f"h{s}": f"{incoming}{s}"
                        for s in ("_valid", "_last", "", "_first", "_answer", "_ready")
                    }
                    | nets,
                )
            )
            incoming = out
    text.append(f"endmodule\n{CLOSE}")
    return "".join(text)


def _stream(name: str, width: int) -> str:
    flags = ", ".join(f"{name}_{s}" for s in ("valid", "last", "first", "answer", "ready"))
    return f"\n    wire {flags};\n    wire [{width}-1:0] {name};\n"


def _gather(
    text: list[str], layer: LstmLayer, block: Block, name: str, number: int, last: bool
) -> str:
    """Chunks of an LSTM become whole vectors, for the next LSTM or as the answer; returns their prefix."""
    units, width = layer.units, layer.hidden.width
    out = "y" if last else f"whole_{number}"
    if not last:
        text.append(
            f"    wire {out}_valid, {out}_ready, {out}_first, {out}_answer;\n"
            f"    wire [{units * width}-1:0] {out};\n"
        )
    ports = {"clk": "clk", "rst": "rst"}
    ports |= {f"h{s}": f"{name}{s}" for s in ("_valid", "_last", "", "_first", "_answer", "_ready")}
    ports |= {f"y{s}": f"{out}{s}" for s in ("_valid", "_ready", "")}
    ports |= {
        "y_first": "" if last else f"{out}_first",
        "y_answer": "" if last else f"{out}_answer",
    }
    ports["drained"] = f"gathers_drained[{number}]"
    parameters: dict[str, int | str] = {
        "COUNT": units, "CHUNK": block.chunk, "WIDTH": width, "SWALLOW": int(last),
    }  # fmt: skip
    text.append(instance("gather", f"gather_{number}", parameters, ports))
    return out
