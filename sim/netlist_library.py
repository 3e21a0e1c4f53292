"""Shared libraries of netlists, with the C interface of a simulated fabric (`sim/shim.cpp`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.errors import EnvironmentMissingError
from pyorch.contract.exclusive import exclusively
from sim.netlist import CELLS, Netlist, library_folder
from sim.netlist_words import write_words
from sim.verilator import (
    LIBRARY,
    WARNINGS,
    Top,
    cache_folder,
    compile_verilog,
    find_verilator,
    run_tool,
)

INTERPRETER = CELLS / "interpreter"
WORDS = "netlist.words"
HEAD = """// The ports of a netlist, for the C shim: in place of Verilator's class.
#pragma once
#include "netlist.hpp"
#include "verilated.h"

struct V{top} {{
    explicit V{top}(VerilatedContext*) {{}}
    void final() {{}}
    netlist::Netlist netlist{{"netlist.words"}};
"""


def interpreter(netlist: Netlist, top: str, folder: Path, shape: Top | None = None) -> Path:
    """Write ``top`` into ``folder`` for the interpreter; its library, compiled once a list of ports.

    Args:
        shape: whose shim is compiled; default: the fabric's.

    Raises:
        EnvironmentMissingError: g++ is missing.
        BuildError: a cell or mode that the interpreter does not have.
    """
    if shutil.which("g++") is None:
        raise EnvironmentMissingError("g++ is missing: sudo apt-get install -y g++")
    folder.mkdir(parents=True, exist_ok=True)
    write_words(netlist, top, folder / WORDS)
    ports = netlist.modules(top)[top].ports
    text = (
        HEAD.format(top=top)
        + "".join(f"    std::uint64_t {name} = 0;\n" for name in ports)
        + "    void eval() {\n"
    )
    for k, (name, port) in enumerate(ports.items()):
        if port.direction == "input":
            text += f"        netlist.set(netlist.port({k}), {name});\n"
    text += "        netlist.eval();\n"
    for k, (name, port) in enumerate(ports.items()):
        if port.direction == "output":
            text += f"        {name} = netlist.get(netlist.port({k}));\n"
    text += "    }\n};\n"
    shape = shape or Top(top, defines=_defines(ports))
    sources = [shape.shim, *sorted(INTERPRETER.iterdir())]
    defines = [f"-D{name}" for name in shape.defines]
    parts = {
        "sources": [digest_of_file(path) for path in sources],
        "ports": text,
        "defines": defines,
    }
    key = digest_of(parts)[:24]
    made = cache_folder() / f"netlist-{key}"
    with exclusively(made / "lock"):
        if not (made / LIBRARY).is_file():
            (made / f"V{top}.h").write_text(text)
            run_tool(
                ["g++", "-std=c++20", "-O2", "-fPIC", "-shared", *defines, "-o", f"{LIBRARY}.partial",
                 str(shape.shim), "-I.", f"-I{INTERPRETER}"],
                made, None, "g++",
            )  # fmt: skip
            (made / f"{LIBRARY}.partial").rename(made / LIBRARY)
    return made / LIBRARY


def verilated(netlist: Netlist, top: str, folder: Path) -> Path:
    """``top`` as Verilog with the models of Yosys' library and ours, compiled by Verilator in ``folder``.

    Raises:
        EnvironmentMissingError: no Verilator, g++ or make.
        BuildError: a cell without a model, or Verilator refuses.
    """
    netlist.check_models(top)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "netlist.v").write_text(netlist.verilog(top))
    carried = library_folder()
    shape = Top(top, defines=_defines(netlist.modules(top)[top].ports))
    return compile_verilog(
        [
            *WARNINGS, "-Wno-lint", "-Wno-MODDUP", "-Wno-SPECIFYIGN", "-Wno-MULTIDRIVEN", "-Wno-INITIALDLY",
            "-Wno-TIMESCALEMOD", f"+incdir+{carried}", "netlist.v",
            *(str(path) for path in sorted(CELLS.glob("*.v"))), "-v", str(carried / "cells_sim.v"),
        ],
        folder, shape, find_verilator(), folder, cache_folder(), optimise="-O1",
    )  # fmt: skip


def _defines(ports: Iterable[str]) -> tuple[str, ...]:
    """How the shim is compiled for a fabric with these ports."""
    return ("FABRIC_TWO_CLOCKS",) if "core_clk" in ports else ()
