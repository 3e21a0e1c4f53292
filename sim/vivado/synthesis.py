"""A session of Vitis HLS's stand-in: sources, top function, interfaces, the IP that is exported."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from sim.vivado.catalogue import PARTS, STREAM, Block, Interface, Ip, Signal
from sim.vivado.packager import COMPONENT
from sim.vivado.signatures import SYNTHESIS_COMMANDS, Call, parse
from sim.vivado.tclsh import CommandError, run_script

HEADERS = {
    "ap_fixed.h",
    "ap_int.h",
    "ap_axi_sdata.h",
    "hls_stream.h",
    "hls_math.h",
    "utils/x_hls_utils.h",
}
"""Headers that the tool itself has."""
_REPORT = """<profile><PerformanceEstimates><SummaryOfOverallLatency>
<Worst-caseLatency>4321</Worst-caseLatency></SummaryOfOverallLatency></PerformanceEstimates></profile>
"""


@dataclass(slots=True)
class Synthesis:
    """A session; ``base`` is the working directory."""

    base: Path = field(default_factory=Path)
    project: Path | None = None
    top: str = ""
    sources: dict[Path, str] = field(default_factory=dict)
    benches: list[Path] = field(default_factory=list)
    solution: Path | None = None
    part: str = ""
    period_ns: float = 0.0
    simulated: bool = False
    ports: dict[str, str] = field(default_factory=dict)
    log: list[list[str]] = field(default_factory=list)

    def answer(self, words: list[str], place: Path) -> str:
        """The result of a command."""
        self.base = place
        self.log.append(words)
        call = parse(words, SYNTHESIS_COMMANDS)
        handler = getattr(self, f"_{call.name}", None)
        if handler is not None:
            handler(call)
        return ""

    def _open_project(self, call: Call) -> None:
        self.project = self.base / call.words[0]
        self.project.mkdir(parents=True, exist_ok=True)

    def _set_top(self, call: Call) -> None:
        self.top = call.words[0]

    def _add_files(self, call: Call) -> None:
        path = (self.base / call.words[0]).resolve()
        if not path.exists():
            raise CommandError(f"add_files: there is no file {path}")
        if "-tb" in call.flags:
            self.benches.append(path)
        else:
            self.sources[path] = call.options.get("-cflags", "")

    def _open_solution(self, call: Call) -> None:
        if self.project is None:
            raise CommandError("open_solution: no project is open")
        if call.options.get("-flow_target", "vivado") not in ("vivado", "vitis"):
            raise CommandError(f"open_solution: no flow {call.options['-flow_target']}")
        self.solution = self.project / call.words[0]
        self.solution.mkdir(parents=True, exist_ok=True)

    def _set_part(self, call: Call) -> None:
        if call.words[0] not in PARTS:
            raise CommandError(f"set_part: there is no part {call.words[0]}")
        self.part = call.words[0]

    def _create_clock(self, call: Call) -> None:
        self.period_ns = float(call.need("-period")[0])

    def _csim_design(self, call: Call) -> None:
        if not any("main(" in path.read_text() for path in self.benches if path.is_file()):
            raise CommandError("csim_design: no test bench has a main function")
        self.simulated = True

    def _csynth_design(self, call: Call) -> None:
        if self.solution is None or not self.part or not self.period_ns:
            raise CommandError("csynth_design: solution, part or clock is missing")
        texts = {path: path.read_text() for path in self.sources}
        for path, text in texts.items():
            self._check_headers(path, text)
        found = [t for t in texts.values() if re.search(rf"^void {self.top}\(", t, re.MULTILINE)]
        if len(found) != 1:
            raise CommandError(
                f"csynth_design: {len(found)} sources define the top {self.top or '(none)'}"
            )
        self.ports = _ports(self.top, found[0])
        report = self.solution / "syn" / "report"
        report.mkdir(parents=True, exist_ok=True)
        (report / "csynth.xml").write_text(_REPORT)

    def _check_headers(self, path: Path, text: str) -> None:
        """Every header that a source names is beside it, on its path, or the tool's own."""
        folders = [Path(word[2:]) for word in self.sources[path].split() if word.startswith("-I")]
        seen: set[Path] = set()
        waiting = [(path, text)]
        while waiting:
            place, content = waiting.pop()
            for name in re.findall(r'#include "([^"]+)"', content):
                found = [f / name for f in (place.parent, *folders) if (f / name).is_file()]
                if not found and name not in HEADERS:
                    raise CommandError(
                        f"csynth_design: {place.name} includes {name}, which is not there"
                    )
                for one in found[:1]:
                    if one.resolve() not in seen:
                        seen.add(one.resolve())
                        waiting.append((one, one.read_text()))

    def _export_design(self, call: Call) -> None:
        if not self.ports or self.solution is None:
            raise CommandError("export_design: nothing was synthesised")
        if call.need("-format")[0] != "ip_catalog":
            raise CommandError(f"export_design: no format {call.options['-format']}")
        given = {"-vendor": "xilinx.com", "-library": "hls", "-ipname": self.top, "-version": "1.0"}
        vlnv = ":".join(call.options.get(name, value) for name, value in given.items())
        place = self.solution / "impl" / "ip"
        place.mkdir(parents=True, exist_ok=True)
        facts = json.dumps({"vlnv": vlnv, "ports": self.ports})
        (place / COMPONENT).write_text(f"<component>{facts}</component>\n")


def _ports(top: str, text: str) -> dict[str, str]:
    """Port → side of the top's streams, or ``wires``; each argument must have its interface stated."""
    head = text[text.index(f"void {top}(") :]
    arguments = head[head.index("(") + 1 : head.index(")")]
    body = head[head.index("{") :]
    stated: dict[str, str] = {}
    for mode, names in re.findall(r"#pragma HLS INTERFACE (\w+) port=([\w,]+)", body):
        stated |= dict.fromkeys(names.split(","), mode)
    found: dict[str, str] = {}
    for argument in arguments.split(","):
        name = re.findall(r"\w+", argument.split("[")[0])[-1]
        if name not in stated:
            raise CommandError(f"csynth_design: {top} has no interface for {name}")
        if stated[name] != "axis":
            found[name] = "wires"
        elif f"{name}.read(" in body:
            found[name] = "Slave"
        else:
            found[name] = "Master"
    return found


def synthesised_ip(component: Path) -> Ip | None:
    """The IP of a component that Vitis HLS's stand-in exported; None: another one's."""
    text = component.read_text().removeprefix("<component>").removesuffix("</component>\n")
    if not text.startswith("{"):
        return None
    facts = json.loads(text)
    interfaces = tuple(
        Interface(name, side, STREAM, "ap_clk")
        for name, side in facts["ports"].items()
        if side != "wires"
    )
    signals = (Signal("ap_clk", "clock"), Signal("ap_rst_n", "reset"))
    return Ip(facts["vlnv"], {}, lambda config: Block(interfaces, signals))


def run_vitis_hls(script: Path) -> Synthesis:
    """Run a script.

    Raises:
        CommandError: a command was refused.
    """
    session = Synthesis()
    run_script(script.resolve(), SYNTHESIS_COMMANDS, session.answer)
    return session
