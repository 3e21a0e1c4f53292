"""Last resorts on the CPU: ONNX Runtime and OpenVINO run the exported cell."""

from __future__ import annotations

from gpu_fallback.cell_engine import Array, Call, CallCell, Cell, CellEngine
from gpu_fallback.export.model import Precision, export_cell
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError


class OnnxRuntimeEngine(CellEngine):
    """ONNX Runtime on one thread of the CPU."""

    NAME = "onnxruntime"

    @classmethod
    def cell(cls, bundle: Bundle, precision: Precision, zeros: list[Array]) -> tuple[Cell, str]:
        """A session on one thread.

        Raises:
            EnvironmentMissingError: onnxruntime is missing.
        """
        call, version = cls.call(export_cell(bundle, precision))
        return CallCell(call, zeros), f"ONNX Runtime {version}, CPU"

    @staticmethod
    def call(model: bytes) -> tuple[Call, str]:
        """The session of any ONNX model, and the package's version."""
        try:
            import onnxruntime
        except ImportError as error:
            raise EnvironmentMissingError(f"{error}; install the extra `gpu`") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]

        def call(inputs: dict[str, Array]) -> dict[str, Array]:
            return dict(zip(names, session.run(names, inputs), strict=True))

        return call, onnxruntime.__version__


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
        try:
            import openvino
        except ImportError as error:
            raise EnvironmentMissingError(f"{error}; install the extra `peers`") from error
        core = openvino.Core()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = core.compile_model(
            core.read_model(export_cell(bundle, precision)), "CPU", options
        )
        request = compiled.create_infer_request()
        # an output has the names of all nodes that were folded into it
        names = [
            next(n for n in output.names if n == "logits" or n.endswith("_next"))
            for output in compiled.outputs
        ]

        def call(inputs: dict[str, Array]) -> dict[str, Array]:
            results = request.infer(inputs)
            return {name: results[place] for place, name in enumerate(names)}

        return CallCell(call, zeros), f"OpenVINO {openvino.__version__.split('-')[0]}, CPU"
