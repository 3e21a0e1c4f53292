"""A netlist put in order for the interpreter (`sim/cells/interpreter`): words of 32 bits.

Nets are numbered anew: 0 and 1 are the constants, 2 is where outputs end that nothing is connected to. An
unknown constant (x) is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import numpy as np

from pyorch.contract.errors import BuildError
from sim.netlist import Cell, Netlist, number

LUT4, CCU2C, DPR_READ, MULTIPLY, FLIP_FLOP, DPR_WRITE, MULT_REGISTERS, BLOCK_RAM, PORT = range(9)
NOWHERE = 2
SELECTORS = {"PFUMX": (("ALUT", "BLUT", "C0"), 0xACAC), "L6MUX21": (("D0", "D1", "SD"), 0xCACA)}
"""Cells that are a look-up table of three inputs: the inputs and the table."""
WRITE_MODES = {"NORMAL": 0, "WRITETHROUGH": 1, "READBEFOREWRITE": 2}
RAM_WORDS = 1024
CLOCK_INPUTS = {"CLK", "WCK", "CLKA", "CLKB", "CLK0", "CLK1", "CLK2", "CLK3"}

Op = tuple[list[int], list[int], list[int]]
"""(words, nets that it uses, nets that it computes)."""


class _Writer:
    """Numbers nets and clocks, and turns cells into words."""

    def __init__(self) -> None:
        self.nets: dict[int | str, int] = {"0": 0, "x": 0, "z": 0, "1": 1}
        self.count = NOWHERE + 1
        self.clocks: dict[tuple[int, bool], int] = {}
        self.state: list[list[int]] = []
        self.ops: list[Op] = []
        self.sampled: set[int] = set()  # nets that registers look at
        self.numbers = {DPR_WRITE: 0, MULT_REGISTERS: 0}

    def net(self, bit: int | str) -> int:
        if bit not in self.nets:
            self.nets[bit] = self.count
            self.count += 1
        return self.nets[bit]

    def given(self, cell: Cell, port: str, otherwise: int = 0) -> int:
        """The net at an input of one bit."""
        bits = cell.connections.get(port)
        net = self.net(bits[0]) if bits else otherwise
        if port not in CLOCK_INPUTS:
            self.sampled.add(net)
        return net

    def result(self, cell: Cell, port: str) -> int:
        """The net at an output of one bit."""
        bits = cell.connections.get(port)
        return self.net(bits[0]) if bits else NOWHERE

    def bus(self, cell: Cell, port: str, count: int) -> list[int]:
        """Nets at inputs PORT0, PORT1, …"""
        return [self.given(cell, f"{port}{k}") for k in range(count)]

    def out(self, cell: Cell, port: str, count: int) -> list[int]:
        """Nets at outputs PORT0, PORT1, …"""
        return [self.result(cell, f"{port}{k}") for k in range(count)]

    def clock(self, net: int, inverted: bool = False) -> int:
        """The number of a clock."""
        return self.clocks.setdefault((net, inverted), len(self.clocks))

    def next(self, kind: int) -> int:
        self.numbers[kind] += 1
        return self.numbers[kind] - 1

    def add(self, cell: Cell) -> None:
        """Turn a cell into words.

        Raises:
            BuildError: a cell, or a mode of one, that the interpreter does not have.
        """
        kind = cell.type
        if kind == "LUT4":
            nets = [self.given(cell, p) for p in "ABCD"]
            self._table(number(cell, "INIT", 0), nets, self.result(cell, "Z"))
        elif kind in SELECTORS:
            ports, table = SELECTORS[kind]
            nets = [*(self.given(cell, p) for p in ports), 0]
            self._table(table, nets, self.result(cell, "Z"))
        elif kind == "INV":
            self._table(0x5555, [self.given(cell, "A"), 0, 0, 0], self.result(cell, "Z"))
        elif kind == "CCU2C":
            self._adder(cell)
        elif kind == "TRELLIS_FF":
            self._flip_flop(cell)
        elif kind == "TRELLIS_DPR16X4":
            self._lut_ram(cell)
        elif kind == "MULT18X18D":
            self._multiplier(cell)
        elif kind == "DP16KD":
            self._ram(cell)
        else:
            raise BuildError(
                f"cell {kind} is not in the interpreter (sim/cells/interpreter); add it there, or run "
                "with --simulator verilator"
            )

    def _table(self, init: int, nets: list[int], out: int) -> None:
        self.ops.append(([LUT4, init, *nets, out], nets, [out]))

    def _adder(self, cell: Cell) -> None:
        ins = [self.given(cell, p) for p in ("CIN", "A0", "B0", "C0", "D0", "A1", "B1", "C1", "D1")]
        outs = [self.result(cell, p) for p in ("S0", "S1", "COUT")]
        inits = [number(cell, f"INIT{k}", 0) for k in range(2)]
        inject = [int(cell.text(f"INJECT1_{k}", "YES") == "YES") for k in range(2)]
        self.ops.append(([CCU2C, *inits, *inject, *ins, *outs], ins, outs))

    def _flip_flop(self, cell: Cell) -> None:
        cell.require({"LSRMODE": ("LSR",), "CLKMUX": ("CLK", "INV")})
        enable, invert = self.given(cell, "CE"), 0
        match cell.text("CEMUX", "1"):
            case "1":
                enable = 1
            case "0":
                enable = 0
            case "INV":
                invert = 1
        flags = invert | 2 * (cell.text("LSRMUX", "LSR") == "INV")
        flags |= 4 * (cell.text("REGSET", "RESET") == "SET") | 8 * (
            cell.text("SRMODE", "") == "ASYNC"
        )
        clock = self.clock(self.given(cell, "CLK"), cell.text("CLKMUX", "CLK") == "INV")
        self.state.append(
            [FLIP_FLOP, clock, self.given(cell, "DI"), enable, self.given(cell, "LSR"),
             self.result(cell, "Q"), flags]
        )  # fmt: skip

    def _lut_ram(self, cell: Cell) -> None:
        enable, invert = self.given(cell, "WRE"), 0
        match cell.text("WREMUX", "WRE"):
            case "1":
                enable = 1
            case "0":
                enable = 0
            case "INV":
                invert = 1
        clock = self.clock(self.given(cell, "WCK"), cell.text("WCKMUX", "WCK") == "INV")
        read = [self.net(bit) for bit in cell.connections["RAD"]]
        out = [self.net(bit) for bit in cell.connections["DO"]]
        ins = [self.net(bit) for port in ("WAD", "DI") for bit in cell.connections[port]]
        self.sampled.update([*read, *ins])
        content = number(cell, "INITVAL", 0)
        words = [content >> 4 * k & 15 for k in range(16)]
        self.state.append([DPR_WRITE, clock, enable, invert, *ins, *read, *out, *words])
        self.ops.append(([DPR_READ, self.next(DPR_WRITE)], read, out))

    def _multiplier(self, cell: Cell) -> None:
        cell.require(
            {"MULT_BYPASS": ("DISABLED",), "REG_INPUTC_CLK": ("NONE",), "RESETMODE": ("SYNC",),
             "SOURCEB_MODE": ("B_SHIFT",)}
        )  # fmt: skip
        if self.given(cell, "SOURCEA") or self.given(cell, "SOURCEB"):
            raise BuildError("MULT18X18D: operands from the shift chain are not in the interpreter")
        a, b = self.bus(cell, "A", 18), self.bus(cell, "B", 18)
        signs = [self.given(cell, "SIGNEDA"), self.given(cell, "SIGNEDB")]
        out = self.out(cell, "P", 36)
        stages, there = [], []
        for stage in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
            clock = cell.text(f"REG_{stage}_CLK", "NONE")
            there.append(clock != "NONE")
            ce, rst = cell.text(f"REG_{stage}_CE", "CE0"), cell.text(f"REG_{stage}_RST", "RST0")
            index = self.clock(self.given(cell, clock)) if there[-1] else -1
            stages += [index, self.given(cell, ce), self.given(cell, rst)]
        self.state.append([MULT_REGISTERS, *a, *b, *signs, *out, *stages])
        used: list[int] = []
        if not (there[2] or there[3]):
            used = [*([] if there[0] else [*a, signs[0]]), *([] if there[1] else [*b, signs[1]])]
        self.ops.append(([MULTIPLY, self.next(MULT_REGISTERS)], used, [] if there[3] else out))

    def _ram(self, cell: Cell) -> None:
        cell.require({"CSDECODE_A": ("0b000",), "CSDECODE_B": ("0b000",)})
        words = [BLOCK_RAM]
        widths = [number(cell, f"DATA_WIDTH_{port}", 18) for port in "AB"]
        if widths[0] != 36 and widths[1] == 36:
            raise BuildError(
                "DP16KD: port B has 36 bits and port A has not; there is a model of both only"
            )
        for port, width in zip("AB", widths, strict=True):
            cell.require({f"CLK{port}MUX": (f"CLK{port}",)})
            data, out = self.bus(cell, f"DI{port}", 18), self.out(cell, f"DO{port}", 18)
            if width == 36 and port == "A":  # writes with both inputs
                data += self.bus(cell, "DIB", 18)
            if widths[1] == 36:  # B reads with both outputs, the lower half at A's
                out = [*self.out(cell, "DOA", 18), *out] if port == "B" else []
            words += self._ram_port(
                cell, width, WRITE_MODES[cell.text(f"WRITEMODE_{port}", "NORMAL")],
                cell.text(f"REGMODE_{port}", "NOREG"),
                [f"CLK{port}", f"CE{port}", f"WE{port}", f"RST{port}", f"OCE{port}", f"CS{port}"],
                self.bus(cell, f"AD{port}", 14), data, out,
            )  # fmt: skip
        self.state.append([*words, *contents(cell)])

    def _ram_port(
        self, cell: Cell, width: int, mode: int, registered: str, names: Sequence[str], place: list[int],
        data: list[int], out: list[int],
    ) -> list[int]:  # fmt: skip
        clock, enable, write, reset, out_enable, select = names
        return [
            self.clock(self.given(cell, clock)), width, mode, int(registered == "OUTREG"),
            self.given(cell, enable), self.given(cell, write), self.given(cell, reset),
            self.given(cell, out_enable), *self.bus(cell, select, 3), *place,
            len(data), *data, len(out), *out,
        ]  # fmt: skip


def contents(cell: Cell) -> list[int]:
    """The 1024 words of 18 bits that a block RAM begins with."""
    words: list[int] = []
    for row in range(64):
        value = number(cell, f"INITVAL_{row:02X}", 0)
        words += [value >> 20 * k & 0x3FFFF for k in range(RAM_WORDS // 64)]
    return words


def write_words(netlist: Netlist, top: str, path: Path) -> None:
    """Write ``top`` for the interpreter.

    Raises:
        BuildError: a cell that the interpreter does not have, or a loop without a register.
    """
    writer = _Writer()
    ports, cells = netlist.flat(top)
    nets = {name: [writer.net(bit) for bit in bits] for name, bits in ports.items()}
    for cell in cells:
        writer.add(cell)
    words: list[int] = []
    for state in writer.state:
        words += state
    for op in in_order(writer.ops, str(netlist.path)):
        words += op
    for bits in nets.values():
        words += [PORT, len(bits), *bits]
    head = [writer.count, len(writer.clocks)]
    for net, inverted in writer.clocks:
        head += [net, int(inverted), int(net not in writer.sampled)]
    path.write_bytes(np.array([*head, *words], dtype="<i4").tobytes())


def in_order(ops: list[Op], name: str) -> Iterator[list[int]]:
    """The words of each operation, each behind those that it uses.

    Raises:
        BuildError: there is a loop.
    """
    maker = {net: k for k, (_, _, made) in enumerate(ops) for net in made if net != NOWHERE}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for k, (_, used, _) in enumerate(ops):
        sorter.add(k, *{maker[net] for net in used if net in maker})
    try:
        yield from (ops[k][0] for k in sorter.static_order())
    except CycleError as error:
        raise BuildError(
            f"{name}: {len(error.args[1]) - 1} cells make a loop without a register"
        ) from error
