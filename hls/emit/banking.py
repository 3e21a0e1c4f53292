"""Blocks of a feature path for several instruments: the same text, what they keep in memories by instrument.

A register that outlives a tick becomes a memory of one word an instrument, read and written at the present
one's place (port or wire ``which``): rows and ticks go through a block one after the other, so nothing else
changes. What a block writes in a cycle is gathered and goes back as one word. Registers within a tick stay.
During a reset ``which`` counts through all instruments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hls.emit.features import FeaturePlan
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import rtl_folder

MAXIMUM_PATHS = 16
RESET_CYCLES = 2 * MAXIMUM_PATHS


@dataclass(frozen=True, slots=True)
class Kept:
    """What a block keeps from tick to tick.

    Attributes:
        registers: by name; arrays: with places of their own, name → bits of an index.
        which: text of the wire; empty: a port.
        changes: text → what stands for it; each must be there.
        arriving: text of the wire for registers that a row is compared with as it arrives.
        compared: those registers; all else is at ``which``, known a cycle before.
    """

    registers: tuple[str, ...]
    arrays: Mapping[str, str]
    which: str = ""
    changes: Mapping[str, str] | None = None
    arriving: str = ""
    compared: tuple[str, ...] = ()

    def place(self, name: str) -> str:
        """The wire by which a register's memory is addressed."""
        return "arriving" if name in self.compared else "which"


SWEEP = """
    reg [{top}:0] sweep = 0;  // in a reset: every instrument in turn
    always @(posedge clk) sweep <= sweep + 1'b1;
"""
BLOCKS = {
    "window_sum.sv": Kept(("bucket", "place", "some", "total"), {"sums": "3"}),
    "edge_average.sv": Kept(("bucket", "held", "average"), {}),
    "best_changes.sv": Kept(("bid", "ask", "bid_lots", "ask_lots", "mid"), {}),
    "micro_offset.sv": Kept(("offset",), {}),
    "book_side.sv": Kept(("summary", "count"), {"words": "", "quantities": ""}),
    "price_book.sv": Kept(
        ("valid", "base", "has_base", "synchronising", "admitted", "in_depth", "in_snapshot", "escaped",
         "beyond", "book_id"),
        {},
        "rst ? sweep : out_instrument",
        {
            "row_instrument == INSTRUMENT": "row_instrument < {paths}",
            ") bids (\n        .clk(clk)": ") bids (\n        .which(which), .clk(clk)",
            ") asks (\n        .clk(clk)": ") asks (\n        .which(which), .clk(clk)",
        },
        "rst ? sweep : state == IDLE ? row_instrument : out_instrument",
        ("base", "book_id"),
    ),
    "feature_control.sv": Kept(
        ("active", "running"),
        {},
        "rst ? sweep : state == IDLE ? in_instrument : instrument",
        {
            "    input  wire                 clk,\n": "    input  wire                 clk,\n"
            "    input  wire [{top}:0] in_instrument,\n    output wire [{top}:0] out_instrument,\n",
            "    reg [1:0] state;\n": "    reg [1:0] state;\n    reg [{top}:0] instrument;\n"
            "    assign out_instrument = which;\n"
            "    always @(posedge clk) if (state == IDLE) instrument <= in_instrument;\n"
            "    // what is dropped may not go on beside another instrument's tick\n"
            "    wire settled = t >= 4 && !windows_busy && !averages_busy;\n",
            "!confirmed && in_valid;": "!confirmed && in_valid && settled;",
            "state == RUN && !confirmed);": "state == RUN && !confirmed && settled);",
        },
    ),
    "policy_rules.sv": Kept(
        ("until_ns", "ticks", "current"),
        {},
        "rst ? sweep : tick_instrument",
        {
            "input  wire                         tick_instrument,": "input  wire [{top}:0] tick_instrument,",
        },
    ),
}  # fmt: skip
"""File of `firmware/rtl` → what becomes memory in it."""


def bits_of(paths: int) -> int:
    """Of an instrument's number."""
    return max(1, (paths - 1).bit_length())


def banked_sources(paths: int) -> dict[str, str]:
    """The blocks for so many instruments, by file."""
    return {
        name: banked((rtl_folder() / name).read_text(), kept, paths)
        for name, kept in BLOCKS.items()
    }


def banked(text: str, kept: Kept, paths: int) -> str:
    """A block's text with memories by instrument.

    Raises:
        AssertionError: a register or a text that is to change is not there.
    """
    top = bits_of(paths) - 1
    last = (1 << top + 1) - 1
    for old, new in (kept.changes or {}).items():
        assert old in text, old
        text = text.replace(old, new.replace("{top}", str(top)).replace("{paths}", str(paths)))
    ports, body = text.split("\n);\n", 1)
    declared = []
    for name in kept.registers:
        ports, wide = _taken_port(ports, name)
        if wide is None:
            body = _taken(body, name, last, kept.place(name))
        else:
            read = f"    assign {name} = {name}_of[{kept.place(name)}];\n"
            declared.append(_memory(wide, name, last) + read)
    body = _written(body, kept)
    for name, bits in kept.arrays.items():
        body = _longer(body, name, bits, top)
    if kept.arriving:
        declared.insert(0, f"    wire [{top}:0] arriving = {kept.arriving};\n")
    if kept.which:
        declared.insert(0, SWEEP.format(top=top) + f"    wire [{top}:0] which = {kept.which};\n")
    else:
        ports = re.sub(
            r"(\n +input  wire +clk,\n)", rf"\1    input  wire [{top}:0] which,\n", ports, count=1
        )
    at = _after_parameters(body)
    return ports + "\n);\n" + body[:at] + "".join(declared) + body[at:]


def _after_parameters(body: str) -> int:
    """Behind the last local parameter of the head, so that declarations may use it."""
    ends = [found.end() for found in re.finditer(r"^    localparam[^;]*;\n", body, re.MULTILINE)]
    return ends[-1] if ends else 0


def _memory(wide: str, name: str, last: int) -> str:
    """The memory of a register, and the word that goes back into it."""
    return f"    reg {wide}{name}_of[0:{last}];\n    reg {wide}{name}_next;\n"


def _taken_port(ports: str, name: str) -> tuple[str, str | None]:
    """The ports without the register, and its width; None if it is no port."""
    found = re.search(rf"\n +output reg +((?:signed )? *(?:\[[^\]]*\])?) +{name}\b", ports)
    if found is None:
        return ports, None
    text = found.group(0).replace("output reg ", "output wire", 1)
    return ports.replace(found.group(0), text), f"{found.group(1)} "


def _taken(body: str, name: str, last: int, place: str = "which") -> str:
    """The body with a memory where the register was declared; its name reads the present word."""
    for found in re.finditer(
        r"^( +)reg ((?:signed )?(?:\[[^\]]*\] )?)([^;]*);", body, re.MULTILINE
    ):
        indent, wide, rest = found.groups()
        names = [one.strip() for one in rest.split(",")]
        left = [one for one in names if re.split(r"[ =\[]", one)[0] != name]
        if len(left) < len(names):
            text = _memory(wide, name, last) + f"{indent}wire {wide}{name} = {name}_of[{place}];"
            if left:
                text += f"\n{indent}reg {wide}{', '.join(left)};"
            return body[: found.start()] + text + body[found.end() :]
    raise AssertionError(f"no register {name}")


_CLOCKED = "always @(posedge clk) "


def _written(body: str, kept: Kept) -> str:
    """Every clocked block gathers a new word of each register that it writes, and writes it whole at its end.

    So a memory has one address, one read and one write: memory by synthesis, not registers and selections.
    """
    parts = body.split(_CLOCKED)
    text, seen = parts[0], set[str]()
    for part in parts[1:]:
        end = _end_of_statement(part)
        code, rest = part[:end], part[end:]
        code, names = _gathered(code, kept.registers)
        if names:
            assert not seen & set(names), f"{names}: written by two blocks"
            seen |= set(names)
            first = "".join(f"        {name}_next = {name};\n" for name in names)
            last = "".join(
                f"        {name}_of[{kept.place(name)}] <= {name}_next;\n" for name in names
            )
            code = code.strip()
            inner = code[len("begin") : -len("end")] if code.startswith("begin") else f"\n{code}\n"
            code = f"begin\n{first}        {inner.strip()}\n{last}    end"
        text += _CLOCKED + code + rest
    assert seen == set(kept.registers), set(kept.registers) - seen
    return text


def _end_of_statement(text: str) -> int:
    """Behind the statement that the text begins with."""
    depth = 0
    for found in re.finditer(r"//[^\n]*|\b(begin|case|end|endcase)\b|;", text):
        word = found.group(0)
        depth += (word in ("begin", "case")) - (word in ("end", "endcase"))
        if depth == 0 and word in ("end", ";"):
            return found.end()
    raise AssertionError("a block without an end")


def _gathered(code: str, registers: tuple[str, ...]) -> tuple[str, list[str]]:
    """The code with assignments to gathered words instead of registers, and to which."""
    names: list[str] = []
    one = "|".join(registers)

    def gathered(found: re.Match[str]) -> str:
        own = re.findall(rf"\b(?:{one})\b(?![^\[]*\])", found["target"])
        if not own:
            return found.group(0)
        parts = found["target"].strip("{} ").split(",")
        assert len(parts) == len(own), found["target"]
        names.extend(name for name in own if name not in names)
        target = re.sub(rf"\b({one})\b(?![^\[]*\])", r"\1_next", found["target"])
        return f"{found['lead']}{target}= "

    code = re.sub(
        r"(?P<lead>^\s*|[);:]\s*|\b(?:begin|else)\s+)"
        r"(?P<target>\{[^{}]*\}\s|\w+(?:\[[^\[\]]*(?:\[[^\]]*\][^\[\]]*)?\])?\s)<= ",
        gathered, code, flags=re.MULTILINE,
    )  # fmt: skip
    return code, names


def _longer(body: str, name: str, bits: str, top: int) -> str:
    """An array with an instrument's number in front of each index."""
    body, count = re.subn(
        rf"(reg [^;]*\b{name})\[0:([^\]]*)\];", rf"\1[0:((\2)+1)*{1 << top + 1}-1];", body, count=1
    )
    assert count == 1, name
    code = []
    for line in body.splitlines():
        if re.match(rf" *reg [^;]*\b{name}\[", line):
            code.append(line)
            continue
        line = re.sub(
            rf"(?<![.\w]){name}\[((?:[^\[\]]|\[[^\]]*\])*)\]", rf"{name}[{{which, \1}}]", line
        )
        code.append(line)
    return "\n".join(code) + "\n"


def banked_features(text: str, plan: FeaturePlan, paths: int) -> str:
    """`market_features` for several instruments.

    Raises:
        UsageError: ticks that leave the book alone would need its levels again.
    """
    if plan.first_passed == 0 and plan.terms:
        raise UsageError(
            "the schema has features of levels and none that a trade changes; several instruments need one"
        )
    top = bits_of(paths) - 1
    for module in ("window_sum", "edge_average", "best_changes", "micro_offset"):
        text = re.sub(
            rf"(\n    {module} #\([^;]*?\.clk\(clk\))", r"\1, .which(out_instrument)", text
        )
    text = text.replace(
        ") control (\n        .clk(clk)",
        ") control (\n        .clk(clk), .in_instrument(in_instrument), .out_instrument(out_instrument)",
    )
    text = re.sub(r"put ( ?wire) +((?:in|out)_instrument,)", rf"put \1 [{top}:0] \2", text)
    text = text.replace("    assign out_instrument = 0;\n", "")
    head, body = text.split("\n);\n", 1)
    last = (1 << top + 1) - 1
    head, wide = _taken_port(head, "features")
    assert wide is not None
    declared = (
        f"    wire [{top}:0] which = out_instrument;\n{_memory(wide, 'features', last)}"
        "    assign features = features_of[which];\n"
    )
    body = _written(_taken(body, "changed", last), Kept(("features", "changed"), {}))
    return head + "\n);\n" + declared + body


def paths_of(shape_paths: int, instruments: int) -> int:
    """The number of instruments with a path.

    Raises:
        UsageError: more than the decoder knows, or than there is room for.
    """
    if not 1 <= shape_paths <= min(instruments, MAXIMUM_PATHS):
        raise UsageError(
            f"--paths {shape_paths}: of {instruments} instruments on the line 1 to "
            f"{min(instruments, MAXIMUM_PATHS)} have a path; --instruments says how many are on the line"
        )
    return shape_paths
