"""Runs a cocotb bench on Icarus Verilog or Verilator: one block with its parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hls.emit.style import Block, StylePlan
from pyorch.contract.errors import MismatchError
from pyorch.contract.fabric import rtl_folder
from sim.verilator import WARNINGS, find_verilator

Simulator = Literal["icarus", "verilator"]


def run_bench(
    folder: Path,
    simulator: Simulator,
    plan: StylePlan,
    block: Block,
    module: str,
    environment: Mapping[str, str],
) -> None:
    """Build ``block`` and run all tests of the cocotb module.

    Raises:
        EnvironmentMissingError: no Verilator.
        MismatchError: a test failed; cocotb's report is on the standard output.
    """
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    folder.mkdir(parents=True, exist_ok=True)
    for memory in plan.memories:
        (folder / memory.file).write_text(memory.hex())
    names = plan.rtl[: plan.rtl.index(f"{block.module}.sv") + 1]
    options: list[str] = ["-g2012"]
    if simulator == "verilator":
        tool = find_verilator()
        options = [*WARNINGS, "--x-assign", "fast", "--x-initial", "fast"]
        programs = folder / "programs"
        programs.mkdir(exist_ok=True)
        # the wheel installs it under another name, and the runner looks it up by this one
        link = programs / "verilator"
        link.unlink(missing_ok=True)
        link.symlink_to(tool.root / "bin" / "verilator")
        os.environ["VERILATOR_ROOT"] = str(tool.root)
        os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
        if str(programs) not in os.environ["PATH"]:
            os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
    runner = get_runner(simulator)
    parameters = {
        name: value if isinstance(value, int) else f'"{value}"'
        for name, value in block.parameters.items()
    }
    runner.build(
        sources=[rtl_folder() / name for name in names],
        hdl_toplevel=block.module,
        parameters=parameters,
        build_args=options,
        build_dir=folder,
        always=True,
    )
    try:
        results = runner.test(
            test_module=module,
            hdl_toplevel=block.module,
            build_dir=folder,
            test_dir=folder,
            extra_env=dict(environment),
        )
    except SystemExit as error:
        raise MismatchError(
            f"{module} on {simulator}: a test failed, its report is above"
        ) from error
    tests, failed = get_results(results)
    if failed or not tests:
        raise MismatchError(f"{module} on {simulator}: {failed} of {tests} tests failed")
