"""Last resorts on the CPU: ONNX Runtime and OpenVINO run the exported cell."""

from __future__ import annotations

from importlib.metadata import version

from gpu_fallback.cell_engine import Array, CallCell, Cell, CellEngine
from gpu_fallback.export.model import Precision, export_cell
from pyorch.contract.bundle import Bundle
from pyorch.inference.peers import onnxruntime_call, openvino_call


class OnnxRuntimeEngine(CellEngine):
    """ONNX Runtime on one thread of the CPU."""

    NAME = "onnxruntime"

    @classmethod
    def cell(cls, bundle: Bundle, precision: Precision, zeros: list[Array]) -> tuple[Cell, str]:
        """A session on one thread.

        Raises:
            EnvironmentMissingError: onnxruntime is missing.
        """
        call = onnxruntime_call(export_cell(bundle, precision))
        return CallCell(call, zeros), f"ONNX Runtime {version('onnxruntime')}, CPU"


class OpenVinoEngine(CellEngine):
    """OpenVINO on one thread of the CPU, float32 kept as float32.

    Its compiled element-wise kernels compute int32 in float32 (seen with 2026.4: sums beyond 2**24 lose
    their last bits), so the exact graph is refused.
    """

    NAME = "openvino"
    EXACT = False

    @classmethod
    def cell(cls, bundle: Bundle, precision: Precision, zeros: list[Array]) -> tuple[Cell, str]:
        """A compiled model with one request.

        Raises:
            EnvironmentMissingError: openvino is missing.
        """
        call = openvino_call(export_cell(bundle, precision))
        return CallCell(call, zeros), f"OpenVINO {version('openvino')}, CPU"
