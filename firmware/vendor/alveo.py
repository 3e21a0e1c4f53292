"""Target `alveo-u50`: fabric and DMA as one user-managed kernel, linked by Vitis into an `.xclbin`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware.block_design import (
    AXI,
    AXI_MHZ,
    MEMORY,
    BlockDesign,
    Bus,
    Core,
    Module,
    Pin,
    inner_modules,
    regions,
    reset_module,
    smart_connect,
)
from firmware.vendor.design import DESIGN, design_text
from firmware.vendor.documents import TOOLS
from firmware.vendor.ip import (
    CONSTRAINTS,
    PACKAGE,
    WRAPPER,
    constraints_text,
    finish_core,
    package_text,
    register_space,
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

KERNEL = "fabric_card"
KERNEL_VLNV = f"pyorch:kernel:{KERNEL}:1.0"
BUILD, RUN, LINK = "build.tcl", "build.sh", "link.cfg"
REGISTERS, POINTERS = "s_axi_control", "m_axi_gmem"
DMA_SIZE, SPACE = 0x1000, 0x2000
DMA_POINTERS = {"MM2S_SA": 0x18, "S2MM_DA": 0x48}
"""Registers of the DMA that hold addresses (PG021, "Register Space"): v++ ties the memory port to them."""


def kernel_design(clock_mhz: float, clocks: int, core: Core = "fabric") -> BlockDesign:
    """The inside of the kernel: registers at 0 (DMA) and 0x1000 (fabric), one port to the card's memory."""
    axi_hz = round(1e6 * (clock_mhz if clocks == 1 else AXI_MHZ))
    pins = [Pin("ap_clk", "clock", True, "clk"), Pin("ap_rst_n", "reset", True, "external_reset_n")]
    config = {
        "ap_clk.FREQ_HZ": str(axi_hz),
        "ap_clk.ASSOCIATED_BUSIF": f"{REGISTERS}:{POINTERS}",
        "ap_clk.ASSOCIATED_RESET": "ap_rst_n",
        "ap_rst_n.POLARITY": "ACTIVE_LOW",
        f"{REGISTERS}.PROTOCOL": "AXI4LITE",
        f"{REGISTERS}.DATA_WIDTH": "32",
        f"{REGISTERS}.ADDR_WIDTH": str((SPACE - 1).bit_length()),
        f"{POINTERS}.DATA_WIDTH": "64",
        f"{POINTERS}.ADDR_WIDTH": "64",
        f"{POINTERS}.HAS_BURST": "0",
        f"{POINTERS}.SUPPORTS_NARROW_BURST": "0",
    }
    if clocks == 2:
        pins.append(Pin("ap_clk_2", "clock", True, "core_clk"))
        config["ap_clk_2.FREQ_HZ"] = str(round(1e6 * clock_mhz))
    boundary = Module(
        "ports",
        "",
        (Bus(REGISTERS, "MASTER", AXI, "control"), Bus(POINTERS, "SLAVE", AXI, "memory")),
        pins=tuple(pins),
        config=config,
        boundary=True,
    )
    return BlockDesign(
        KERNEL,
        "",
        (
            boundary,
            reset_module(),
            *inner_modules(0, DMA_SIZE, clocks, core, address_bits=64),
            smart_connect(MEMORY, ["memory_mm2s", "memory_s2mm"], ["memory"]),
        ),
        regions(0, DMA_SIZE, DMA_SIZE)[: 2 if core == "fabric" else 1],
        REGISTERS,
        f"{POINTERS}/Reg",
        0,
        1 << 64,
    )


def build_text(part: str, core: Core = "fabric") -> str:
    """From sources to ``vendor/fabric_card.xo``."""
    script = Script("Packages the core with its DMA as a kernel for Vitis.")
    core_ip(script, core)
    script.part("The block design, in a project of its own.")
    script.run(f"create_project -force {KERNEL} [file join $out {KERNEL}] -part {part}")
    script.set("ip_repo_paths", "$ip", "[current_project]")
    script.run("update_ip_catalog -rebuild", f"source [file join $here {DESIGN}]")
    vendor, library, name, version = KERNEL_VLNV.split(":")
    script.part("The design as an IP beside the fabric's (UG1118, packaging a block design).")
    script.run(
        f"ipx::package_project -root_dir [file join $ip {KERNEL}] -vendor {vendor} -library {library} "
        f"-taxonomy /KernelIP -module {KERNEL} -import_files -set_current true",
        "set core [ipx::current_core]",
    )
    script.set("name", name, "$core")
    script.set("version", version, "$core")
    script.set("core_revision", "1", "$core")
    script.set("sdx_kernel", "true", "$core")
    script.set("sdx_kernel_type", "rtl", "$core")
    script.set("vitis_drc", "ctrl_protocol user_managed", "$core")
    script.set("ipi_drc", "ignore_freq_hz true", "$core")
    script.set("supported_families", "", "$core")
    script.set("auto_family_support_level", "level_2", "$core")
    register_space(script, REGISTERS, SPACE)
    script.part("Registers that hold addresses, and the port that they are addresses of (UG1393).")
    for register, offset in DMA_POINTERS.items():
        script.run(f"set register [ipx::add_register {register} $block]")
        script.set("offset", f"0x{offset:x}", "$register")
        script.set("size", "64", "$register")
        script.run("set parameter [ipx::add_register_parameter ASSOCIATED_BUSIF $register]")
        script.set("value", POINTERS, "$parameter")
    finish_core(script)
    script.part("The kernel object.")
    script.run(
        f"package_xo -force -xo_path [file join $out {KERNEL}.xo] -kernel_name {KERNEL} -ip_directory $ip "
        f"-parent_ip_directory [file join $ip {KERNEL}] -ctrl_protocol user_managed "
        "-output_kernel_xml [file join $out kernel.xml]",
        "close_project",
    )
    return script.text()


def link_text(clock_mhz: float, clocks: int) -> str:
    """Options of ``v++ --link`` (UG1393, "v++ Linking and Packaging Options")."""
    unit = f"{KERNEL}_1"
    axi = clock_mhz if clocks == 1 else AXI_MHZ
    named = [("ap_clk", axi), *([("ap_clk_2", clock_mhz)] if clocks == 2 else [])]
    lines = [
        "[connectivity]",
        f"nk={KERNEL}:1:{unit}",
        f"sp={unit}.{POINTERS}:HBM[0]",
        "",
        "[clock]",
    ]
    lines += [f"freqHz={round(1e6 * mhz)}:{unit}.{name}" for name, mhz in named]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class AlveoTarget:
    """See `pyorch.contract.target.Target`.

    Attributes:
        ordering: the part as Vivado names it.
        platform: what the card is loaded with, as v++ names it.
    """

    name: str
    part: Part
    ordering: str
    platform: str
    clock_mhz: float
    limits_mhz: tuple[float, float]
    host: str
    flow: Flow = "vitis"
    multipliers: int = 128
    top: str = WRAPPER
    tops: tuple[TopKind, ...] = ("frames",)
    ran: bool = False
    tools: tuple[str, ...] = (VIVADO, "v++", "xclbinutil")
    script: str = RUN
    release: str = TOOLS
    products: tuple[str, ...] = (f"{KERNEL}.xo", "fabric.xclbin")
    reports: tuple[str, ...] = ("kernel.xml", "xclbin.txt")

    def programmed_mhz(self, wanted_mhz: float) -> float:
        """See `Target.programmed_mhz`; the platform's clock generator makes any in its range.

        Raises:
            UsageError: outside it.
        """
        low, high = self.limits_mhz
        if not low <= wanted_mhz <= high:
            raise UsageError(
                f"{self.name} makes kernel clocks of {low:g} to {high:g} MHz, not {wanted_mhz:g}; "
                "choose another --clock"
            )
        return wanted_mhz

    def files(self, fabric: FabricManifest, clock_mhz: float) -> dict[str, str]:
        """See `Target.files`."""
        return {
            f"{WRAPPER}.v": wrapper_text(fabric.clocks),
            CONSTRAINTS: constraints_text(fabric.clocks),
            PACKAGE: package_text(fabric, self.ordering),
            DESIGN: design_text(kernel_design(clock_mhz, fabric.clocks)),
            BUILD: build_text(self.ordering),
            LINK: link_text(clock_mhz, fabric.clocks),
            RUN: run_text(self.tools, self._commands()),
        }

    def for_hls(self) -> AlveoTarget:
        """See `VendorTarget.for_hls`."""
        return replace(
            self, tools=(VITIS_HLS, *self.tools), reports=(SYNTHESIS_REPORT, *self.reports)
        )

    def hls_files(self, project: HlsProject, clock_mhz: float) -> dict[str, str]:
        """See `VendorTarget.hls_files`."""
        return {
            SYNTHESIS: synthesis_text(project, self.ordering, clock_mhz),
            DESIGN: design_text(kernel_design(clock_mhz, 1, "hls4ml")),
            BUILD: build_text(self.ordering, "hls4ml"),
            LINK: link_text(clock_mhz, 1),
            RUN: run_text(self.tools, [synthesis_command(), *self._commands()]),
        }

    def _commands(self) -> list[str]:
        link = (
            f"v++ --link --target hw --platform {self.platform} --config {LINK} --save-temps "
            f"--temp_dir ../vendor/link --output ../vendor/fabric.xclbin ../vendor/{KERNEL}.xo"
        )
        return [
            vivado_command(BUILD),
            link,
            "xclbinutil --info --input ../vendor/fabric.xclbin > ../vendor/xclbin.txt",
        ]


ALVEO_U50 = AlveoTarget(
    name="alveo-u50",
    part=Part("virtexuplus", "xcu50", "fsvh2104", "-2-e"),
    ordering="xcu50-fsvh2104-2-e",
    platform="xilinx_u50_gen3x16_xdma_5_202210_1",
    clock_mhz=100.0,
    limits_mhz=(10.0, 500.0),
    host="PCIe: XRT reaches the kernel's registers, the DMA its HBM; the round trip is not measured here",
)
