"""The five packages are ours, and import in the right direction, on the base install."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ["pyorch", "hls", "firmware", "gpu_fallback", "sim"]


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_the_one_of_this_checkout(name: str) -> None:
    module = importlib.import_module(name)
    assert Path(str(module.__file__)).is_relative_to(ROOT)


def test_every_module_imports_without_vendor_packages() -> None:
    """Importing all modules must not pull in TensorFlow and the like: they are imported where used.

    Except cocotb benches (`bench_*`), which only a simulator imports, and the modules whose classes
    derive from pynq's, which are imported when a card is opened.
    """
    program = (
        "import importlib, pkgutil, sys\n"
        f"for name in {PACKAGES!r}:\n"
        "    package = importlib.import_module(name)\n"
        "    for module in pkgutil.walk_packages(package.__path__, name + '.'):\n"
        "        if '.bench_' not in module.name and module.name not in"
        " ('firmware.driver', 'firmware.event_driver', 'sim.card', 'sim.event_device'):\n"
        "            importlib.import_module(module.name)\n"
        "vendor = {'tensorflow', 'tf_keras', 'keras', 'qkeras', 'hls4ml', 'tensorrt', 'pynq', 'cocotb',"
        " 'onnx', 'onnxruntime', 'openvino', 'sklearn', 'scipy', 'QuantLib'}\n"
        "print(*sorted(vendor & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == ""


def test_imports_follow_the_architecture() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert result.returncode == 0, result.stdout
