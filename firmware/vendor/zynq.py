"""Targets on Zynq: `pynq-z2` and `kria-kv260`, bitstream and handoff by Vivado."""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware.block_design import Core, fabric_design, hwh_text
from firmware.processors import ULTRASCALE, ZYNQ7, Processor, divided
from firmware.vendor.design import DESIGN, design_text
from firmware.vendor.documents import TOOLS
from firmware.vendor.ip import (
    CONSTRAINTS,
    PACKAGE,
    WRAPPER,
    constraints_text,
    package_text,
    wrapper_text,
)
from firmware.vendor.run import VIVADO, core_ip, run_text, vivado_command
from firmware.vendor.script import Script
from firmware.vendor.synthesis import (
    SYNTHESIS,
    SYNTHESIS_REPORT,
    VITIS_HLS,
    synthesis_command,
    synthesis_text,
)
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import Flow, HlsProject, Part, TopKind

BUILD, RUN = "build.tcl", "build.sh"
HANDOFF = "expected.hwh"


@dataclass(frozen=True, slots=True)
class ZynqTarget:
    """See `pyorch.contract.target.Target`.

    Attributes:
        ordering: the part as Vivado names it.
    """

    name: str
    part: Part
    ordering: str
    processor: Processor
    clock_mhz: float
    host: str
    flow: Flow = "vivado"
    multipliers: int = 128
    top: str = WRAPPER
    tops: tuple[TopKind, ...] = ("frames",)
    ran: bool = False
    tools: tuple[str, ...] = (VIVADO,)
    script: str = RUN
    release: str = TOOLS
    products: tuple[str, ...] = ("fabric.bit", "fabric.hwh")
    reports: tuple[str, ...] = ("figures.json", "timing.rpt", "utilisation.rpt", "crossings.rpt")

    def programmed_mhz(self, wanted_mhz: float) -> float:
        """See `Target.programmed_mhz`.

        Raises:
            UsageError: outside the range of the processor's clocks for the logic.
        """
        low, high = self.processor.limits_mhz
        made = divided(self.processor.pll_mhz, wanted_mhz)[0]
        if not low <= made <= high:
            raise UsageError(
                f"{self.name} makes clocks of {low:g} to {high:g} MHz for the logic, not {wanted_mhz:g}; "
                "choose another --clock"
            )
        return made

    def files(self, fabric: FabricManifest, clock_mhz: float) -> dict[str, str]:
        """See `Target.files`."""
        design = fabric_design(self.processor, clock_mhz, fabric.clocks)
        return {
            f"{WRAPPER}.v": wrapper_text(fabric.clocks),
            CONSTRAINTS: constraints_text(fabric.clocks),
            PACKAGE: package_text(fabric, self.ordering),
            DESIGN: design_text(design),
            BUILD: build_text(design.name, self.ordering),
            RUN: run_text(self.tools, [vivado_command(BUILD)]),
            HANDOFF: hwh_text(design),
        }

    def for_hls(self) -> ZynqTarget:
        """See `VendorTarget.for_hls`."""
        return replace(
            self, tools=(VITIS_HLS, *self.tools), reports=(SYNTHESIS_REPORT, *self.reports)
        )

    def hls_files(self, project: HlsProject, clock_mhz: float) -> dict[str, str]:
        """See `VendorTarget.hls_files`."""
        design = fabric_design(self.processor, clock_mhz, core="hls4ml")
        return {
            SYNTHESIS: synthesis_text(project, self.ordering, clock_mhz),
            DESIGN: design_text(design),
            BUILD: build_text(design.name, self.ordering, "hls4ml"),
            RUN: run_text(self.tools, [synthesis_command(), vivado_command(BUILD)]),
            HANDOFF: hwh_text(design),
        }


def build_text(name: str, part: str, core: Core = "fabric") -> str:
    """From sources to ``vendor/fabric.bit`` and ``vendor/fabric.hwh``, reports and figures beside them."""
    script = Script("From the core's sources to bitstream and handoff.")
    core_ip(script, core)
    script.part("A project around the block design, synthesised as a whole.")
    script.run(f"create_project -force {name} [file join $out {name}] -part {part}")
    script.set("ip_repo_paths", "$ip", "[current_project]")
    script.run("update_ip_catalog -rebuild", f"source [file join $here {DESIGN}]")
    script.set("synth_checkpoint_mode", "None", f"[get_files {name}.bd]")
    script.run(f"generate_target all [get_files {name}.bd]")
    script.run(f"add_files -norecurse [make_wrapper -files [get_files {name}.bd] -top]")
    script.set("top", f"{name}_wrapper", "[current_fileset]")
    script.run("update_compile_order -fileset sources_1")
    script.part("Synthesis, placement, routing, bitstream (UG904).")
    for run, options in (("synth_1", ""), ("impl_1", " -to_step write_bitstream")):
        script.run(f"launch_runs {run}{options} -jobs 4", f"wait_on_runs {run}")
        script.run(
            f'if {{[get_property PROGRESS [get_runs {run}]] ne "100%"}} {{',
            f'    error "{run}: [get_property STATUS [get_runs {run}]]; see runme.log below $out/{name}"',
            "}",
        )
    script.run("open_run impl_1")
    script.run("report_timing_summary -file [file join $out timing.rpt]")
    script.run("report_utilization -hierarchical -file [file join $out utilisation.rpt]")
    script.run("report_cdc -details -file [file join $out crossings.rpt]")
    script.part("The results, with the handoff that Vivado wrote for this design.")
    script.run(
        f"set made [get_property DIRECTORY [get_runs impl_1]]/{name}_wrapper.bit",
        "file copy -force $made [file join $out fabric.bit]",
        f"set handoff [file join $out {name} {name}.gen sources_1 bd {name} hw_handoff {name}.hwh]",
        "file copy -force $handoff [file join $out fabric.hwh]",
        "set setup [get_property SLACK [get_timing_paths -delay_type max]]",
        "set hold [get_property SLACK [get_timing_paths -delay_type min]]",
        "set figures [open [file join $out figures.json] w]",
        'puts $figures "{\\"setup_slack_ns\\": $setup, \\"hold_slack_ns\\": $hold}"',
        "close $figures",
        "if {$setup < 0 || $hold < 0} {",
        '    error "the clock is missed: slack $setup ns (setup), $hold ns (hold); choose a lower --clock"',
        "}",
    )
    return script.text()


PYNQ_Z2 = ZynqTarget(
    name="pynq-z2",
    part=Part("zynq7", "xc7z020", "clg400", "-1"),
    ordering="xc7z020clg400-1",
    processor=ZYNQ7,
    clock_mhz=50.0,
    host="processor: pynq over AXI4-Lite (a write from Python: about 30 us) and AXI DMA (round trip 85 us)",
)
KRIA_KV260 = ZynqTarget(
    name="kria-kv260",
    part=Part("zynquplus", "xck26", "sfvc784", "-2LV-c"),
    ordering="xck26-sfvc784-2LV-c",
    processor=ULTRASCALE,
    clock_mhz=100.0,
    host="processor: pynq over AXI4-Lite and AXI DMA; its round trip is not measured here",
)
