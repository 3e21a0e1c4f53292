"""TensorRT behind the engine protocol."""

from __future__ import annotations

from typing import Any

from gpu_fallback.cell_engine import Cell, CellEngine
from gpu_fallback.cuda import Cuda
from gpu_fallback.export.model import Precision, export_cell
from gpu_fallback.trt.api import load_api
from gpu_fallback.trt.builder import Settings
from gpu_fallback.trt.cache import cached_engine
from gpu_fallback.trt.runner import TensorRtCell
from pyorch.contract.bundle import Bundle


class TensorRtEngine(CellEngine):
    """The exported cell as a TensorRT engine on the machine's GPU."""

    NAME = "tensorrt"

    @classmethod
    def cell(cls, bundle: Bundle, precision: Precision, zeros: list[Any]) -> tuple[Cell, str]:
        """Built or from the cache, loaded, its graphs captured.

        Raises:
            EnvironmentMissingError: neither package of TensorRT, or no driver.
            DeviceError: no GPU, or it does not take the engine.
            BuildError: TensorRT does not build the graph.
        """
        api = load_api()
        cuda = Cuda.open()
        try:
            model = export_cell(bundle, precision)
            serialised = cached_engine(api, model, Settings(), f"{cuda.capability} {cuda.name}")
            cell = TensorRtCell(api, serialised, cuda)
        except BaseException:
            cuda.close()
            raise
        cell.carry(zeros)
        return cell, f"{cuda.name}, {api.name} {api.version}"
