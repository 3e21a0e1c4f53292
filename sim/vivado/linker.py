"""`v++ --link` and `xclbinutil`, as far as the scripts use them (UG1393)."""

from __future__ import annotations

import json
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path

from sim.vivado.tclsh import CommandError

PLATFORMS = {"xilinx_u50_gen3x16_xdma_5_202210_1": ("HBM", 32)}
"""Platform → its memory and how many banks of it there are."""
VALUED = {"--target", "--platform", "--config", "--temp_dir", "--output"}
FLAGS = {"--link", "--save-temps"}
CONNECTIVITY = {"nk", "sp"}


def link(arguments: list[str], base: Path) -> None:
    """Link kernels into a container.

    Raises:
        CommandError: an option, platform, kernel, port, bank or clock that is not there.
    """
    options, inputs = _sorted(arguments)
    for name in ("--target", "--platform", "--config", "--output"):
        if name not in options:
            raise CommandError(f"v++: {name} is not given")
    if options["--target"] != "hw" or options["--platform"] not in PLATFORMS:
        raise CommandError(f"v++: no platform {options['--platform']} for {options['--target']}")
    missing = [path for path in (*inputs, options["--config"]) if not (base / path).is_file()]
    if missing or not inputs:
        raise CommandError(f"v++: there is no file {(missing or ['(no kernel is given)'])[0]}")
    kernels = [json.loads((base / path).read_text()) for path in inputs]
    clocks = _check(
        base / options["--config"], {k["kernel"]: k for k in kernels}, options["--platform"]
    )
    (base / options["--output"]).write_text(json.dumps({"clocks": clocks}))


def _sorted(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    inputs: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in VALUED and rest:
            options[word] = rest.pop(0)
        elif word.startswith("-") and word not in FLAGS:
            raise CommandError(f"v++: there is no option {word}, or its value is missing")
        elif word not in FLAGS:
            inputs.append(word)
    return options, inputs


def _entries(path: Path) -> list[tuple[str, str, str]]:
    """Section, key and value; a key may come more than once."""
    found: list[tuple[str, str, str]] = []
    section = ""
    for line in path.read_text().splitlines():
        parser = ConfigParser(interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string(line if line.startswith("[") else f"[{section or '-'}]\n{line}")
        except ConfigError as error:
            raise CommandError(f"{path.name}: {error}") from error
        section = parser.sections()[0]
        found += [(section, key, value) for key, value in parser.items(section)]
    return found


def _check(path: Path, kernels: dict[str, dict[str, object]], platform: str) -> dict[str, int]:
    units: dict[str, str] = {}
    clocks: dict[str, int] = {}
    placed: set[str] = set()
    memory, banks = PLATFORMS[platform]
    for section, key, value in _entries(path):
        if (section, key) == ("connectivity", "nk"):
            name, count, unit = value.split(":")
            if name not in kernels or count != "1":
                raise CommandError(f"{path.name}: no kernel {name}; there are {', '.join(kernels)}")
            units[unit] = name
        elif (section, key) == ("connectivity", "sp"):
            place, bank = value.split(":")
            unit, _, port = place.partition(".")
            buses = kernels[units[unit]]["buses"] if unit in units else {}
            if not isinstance(buses, dict) or port not in buses:
                raise CommandError(f"{path.name}: {place} is no port of a kernel")
            if bank not in {f"{memory}[{k}]" for k in range(banks)}:
                raise CommandError(f"{path.name}: {platform} has no memory {bank}")
            placed.add(port)
        elif (section, key) == ("clock", "freqHz"):
            hz, _, place = value.partition(":")
            unit, _, port = place.partition(".")
            named = kernels[units[unit]]["clocks"] if unit in units else []
            if not isinstance(named, list) or port not in named:
                raise CommandError(f"{path.name}: {place} is no clock of a kernel")
            clocks[port] = int(hz)
        else:
            raise CommandError(f"{path.name}: there is no {key} in [{section}]")
    for unit, name in units.items():
        wanted = kernels[name]
        open_clocks = set(wanted["clocks"]) - set(clocks)  # type: ignore[call-overload]
        masters = {bus for bus in wanted["buses"] if bus.startswith("m_axi")}  # type: ignore[attr-defined]
        if open_clocks or masters - placed:
            raise CommandError(
                f"{path.name}: {unit} has ports without a clock or a memory: "
                f"{', '.join(sorted(open_clocks | (masters - placed)))}"
            )
    return clocks


def describe(arguments: list[str], base: Path) -> str:
    """``xclbinutil --info --input FILE``.

    Raises:
        CommandError: other words, or no such file.
    """
    if arguments[:2] != ["--info", "--input"] or len(arguments) != 3:
        raise CommandError(
            f"xclbinutil {' '.join(arguments)}: only --info --input FILE is known here"
        )
    path = base / arguments[2]
    if not path.is_file():
        raise CommandError(f"xclbinutil: there is no file {path}")
    return f"stand-in {path.read_text()}\n"
