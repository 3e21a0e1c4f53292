"""Which document of the vendor's states each property that the scripts set.

Names are those of the documents of the 2023.2 tools; `docs/vendor.md` lists them.
"""

from __future__ import annotations

TOOLS = "2023.2"
"""Release of Vivado and Vitis that the scripts are written for."""

DOCUMENTS = {
    "PG021": "AXI DMA LogiCORE IP",
    "PG082": "Processing System 7",
    "PG164": "Processor System Reset Module",
    "PG201": "Zynq UltraScale+ MPSoC Processing System",
    "PG247": "SmartConnect",
    "UG585": "Zynq-7000 SoC Technical Reference Manual",
    "UG835": "Vivado Design Suite Tcl Command Reference Guide",
    "UG901": "Vivado Synthesis",
    "UG903": "Vivado Using Constraints",
    "UG904": "Vivado Implementation",
    "UG912": "Vivado Properties Reference Guide",
    "UG949": "UltraFast Design Methodology Guide",
    "UG994": "Vivado Designing IP Subsystems Using IP Integrator",
    "UG1085": "Zynq UltraScale+ Device Technical Reference Manual",
    "UG1118": "Vivado Creating and Packaging Custom IP",
    "UG1393": "Vitis Application Acceleration Development",
    "UG1399": "Vitis High-Level Synthesis",
}

_PREFIXES = {
    "CONFIG.PCW_": "PG082",
    "CONFIG.PSU__": "PG201",
    "CONFIG.NUM_": "PG247",
    "CONFIG.c_": "PG021",
}
_NAMES = {
    "CONFIG.ADDR_WIDTH": "UG994",
    "CONFIG.DATA_WIDTH": "UG994",
    "CONFIG.PROTOCOL": "UG994",
    "CONFIG.FREQ_HZ": "UG994",
    "CONFIG.POLARITY": "UG994",
    "CONFIG.ASSOCIATED_BUSIF": "UG994",
    "CONFIG.ASSOCIATED_RESET": "UG994",
    "CONFIG.HAS_BURST": "UG1393",
    "CONFIG.SUPPORTS_NARROW_BURST": "UG1393",
    "auto_family_support_level": "UG1118",
    "core_revision": "UG1118",
    "description": "UG1118",
    "display_name": "UG1118",
    "file_type": "UG912",
    "ip_repo_paths": "UG1118",
    "ipi_drc": "UG1393",
    "name": "UG1118",
    "offset": "UG1118",
    "processing_order": "UG903",
    "range": "UG1118",
    "sdx_kernel": "UG1393",
    "sdx_kernel_type": "UG1393",
    "size": "UG1118",
    "slave_memory_map_ref": "UG1118",
    "supported_families": "UG1118",
    "synth_checkpoint_mode": "UG994",
    "top": "UG835",
    "usage": "UG1118",
    "used_in": "UG903",
    "value": "UG1118",
    "version": "UG1118",
    "vitis_drc": "UG1393",
    "width": "UG1118",
}


def document_of(name: str) -> str:
    """The document that states a property.

    Raises:
        KeyError: none is listed; a property without a source is not set.
    """
    found = next((doc for prefix, doc in _PREFIXES.items() if name.startswith(prefix)), None)
    return found or _NAMES[name]
