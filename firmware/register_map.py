"""The register map: `registers.toml` is its one source; the package, the header and the page come from it.

The serial bridge has a map of its own, `serial/registers.toml`, and so has the ingress of a feature path,
`ingress_registers.toml`. ``python -m firmware.register_map`` writes the packages in `rtl`, the native header
and `docs/registers.md`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

SOURCE = Path(__file__).with_name("registers.toml")
BRIDGE_SOURCE = SOURCE.parent / "serial" / "registers.toml"
INGRESS_SOURCE = SOURCE.with_name("ingress_registers.toml")
BRIDGE_BASE = 0x1000
"""Where the bridge's registers begin in the addresses of a program."""
ROOT = SOURCE.parents[1]


@dataclass(frozen=True, slots=True)
class Register:
    """A word, or ``words`` of them in a row.

    Attributes:
        offset: in bytes.
        fields: name → (lowest bit, bits).
    """

    name: str
    offset: int
    access: Literal["ro", "rw", "wo", "w1c"]
    text: str
    words: int = 1
    fields: dict[str, tuple[int, int]] = field(default_factory=dict)

    def get(self, value: int, name: str) -> int:
        """A field of the register's value."""
        low, bits = self.fields[name]
        return value >> low & ((1 << bits) - 1)

    def put(self, **values: int) -> int:
        """A register value with these fields, the others 0.

        Raises:
            ValueError: a value that its field does not hold.
        """
        word = 0
        for name, value in values.items():
            low, bits = self.fields[name]
            if not 0 <= value < 1 << bits:
                raise ValueError(
                    f"{self.name}.{name}: {value} does not fit its {bits} bits (0..{(1 << bits) - 1})"
                )
            word |= value << low
        return word


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """All registers by name, with the identity and version that the fabric answers."""

    identity: int
    version: int
    registers: dict[str, Register]

    def __getitem__(self, name: str) -> Register:
        return self.registers[name]


@cache
def register_map() -> RegisterMap:
    """The fabric's map, read from its source."""
    return _read(SOURCE)


@cache
def bridge_register_map() -> RegisterMap:
    """The serial bridge's map, read from its source."""
    return _read(BRIDGE_SOURCE)


@cache
def ingress_register_map() -> RegisterMap:
    """The map of the ingress of a feature path, read from its source."""
    return _read(INGRESS_SOURCE)


def _read(source: Path) -> RegisterMap:
    value = tomllib.loads(source.read_text())
    registers = {}
    for entry in value["register"]:
        fields = {name: (low, bits) for name, (low, bits) in entry.pop("fields", {}).items()}
        registers[entry["name"]] = Register(**entry, fields=fields)
    return RegisterMap(value["identity"], value["version"], registers)


def system_verilog(registers: RegisterMap, package: str, source: str) -> str:
    """The package: offsets as ``NAME``, fields as ``NAME_FIELD`` (lowest bit)."""
    lines = [
        f"// Written by `python -m firmware.register_map` from {source}.",
        "`resetall",
        "`timescale 1ns / 1ps",
        "`default_nettype none",
        "",
        f"package {package};",
        f"    localparam logic [31:0] IDENTITY_VALUE = 32'h{registers.identity:08x};",
        f"    localparam logic [31:0] VERSION_VALUE = 32'd{registers.version};",
    ]
    for register in registers.registers.values():
        lines.append(f"    localparam logic [11:0] {register.name} = 12'h{register.offset:03x};")
        lines += [
            f"    localparam int {register.name}_{name.upper()} = {low};"
            for name, (low, _) in register.fields.items()
        ]
    return "\n".join([*lines, "endpackage", "", "`resetall", ""])


def cpp_header(registers: RegisterMap) -> str:
    """The header: offsets in bytes, fields as masks."""
    lines = [
        "// Written by `python -m firmware.register_map` from firmware/registers.toml.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
        "namespace pyorch::fabric_registers {",
        "",
        f"inline constexpr std::uint32_t identity_value = 0x{registers.identity:08x};",
        f"inline constexpr std::uint32_t version_value = {registers.version};",
    ]
    for register in registers.registers.values():
        name = register.name.lower()
        lines.append(f"inline constexpr std::uint32_t {name} = 0x{register.offset:03x};")
        lines += [
            f"inline constexpr std::uint32_t {name}_{part}_mask = 0x{((1 << bits) - 1) << low:08x};"
            for part, (low, bits) in register.fields.items()
        ]
    return "\n".join([*lines, "", "}  // namespace pyorch::fabric_registers", ""])


def page(registers: RegisterMap, bridge: RegisterMap, ingress: RegisterMap) -> str:
    """The documentation."""
    return "\n".join(
        [
            "# Registers of the fabric",
            "",
            "AXI4-Lite, 32-bit words, little-endian. Written by `python -m firmware.register_map` from "
            "`firmware/registers.toml`.",
            "",
            *_table(registers, 0),
            "",
            "## Registers of the serial bridge",
            "",
            "Only over the line ([serial.md](serial.md)), from `firmware/serial/registers.toml`. Counters "
            "count modulo 65536 since configuration.",
            "",
            *_table(bridge, BRIDGE_BASE),
            "",
            "## Registers of the ingress",
            "",
            "Beside those of a feature path ([wire_events.md](wire_events.md)) that takes events from UDP "
            "([udp.md](udp.md)), from `firmware/ingress_registers.toml`. Counters count modulo 2^32.",
            "",
            *_table(ingress, 0),
            "",
        ]
    )


def _table(registers: RegisterMap, base: int) -> list[str]:
    lines = [
        "| offset | name | access | bits | meaning |",
        "|---|---|---|---|---|",
    ]
    for register in registers.registers.values():
        place = f"0x{base + register.offset:03X}"
        if register.words > 1:
            place += f" to 0x{base + register.offset + 4 * register.words - 1:03X}"
        bits = ", ".join(
            f"{low} {name}" if count == 1 else f"{low + count - 1}:{low} {name}"
            for name, (low, count) in register.fields.items()
        )
        lines.append(
            f"| {place} | {register.name} | {register.access} | {bits} | {register.text} |"
        )
    return lines


def generated() -> dict[Path, str]:
    """Every file that comes from the map, and its text."""
    registers, bridge, ingress = register_map(), bridge_register_map(), ingress_register_map()
    return {
        ROOT / "firmware/rtl/registers_pkg.sv": system_verilog(
            registers, "registers_pkg", "firmware/registers.toml"
        ),
        ROOT / "firmware/rtl/bridge_registers_pkg.sv": system_verilog(
            bridge, "bridge_registers_pkg", "firmware/serial/registers.toml"
        ),
        ROOT / "firmware/rtl/ingress_registers_pkg.sv": system_verilog(
            ingress, "ingress_registers_pkg", "firmware/ingress_registers.toml"
        ),
        ROOT / "pyorch/native/fabric_registers.hpp": cpp_header(registers),
        ROOT / "docs/registers.md": page(registers, bridge, ingress),
    }


def main() -> None:
    """Write the generated files."""
    for path, text in generated().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
