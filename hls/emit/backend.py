"""The hls4ml backend `PyorchRTL`: hls4ml's passes, and a writer that emits SystemVerilog instead of HLS C++.

Found by hls4ml through the entry-point group ``hls4ml.backends``. Of a conversion's options it takes
``style``, ``mode``, ``style_parameters`` and, by layer, ``CellT``, ``TableT`` and ``TableSize``::

    model = hls4ml.converters.convert_from_keras_model(
        keras_model, backend="PyorchRTL", hls_config=config, output_dir="fabric", style="folded")
    model.write()
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyorch.contract.errors import UsageError

NAME = "PyorchRTL"
MODES = ("stateful", "window")


def register(register_backend: Callable[..., None], register_writer: Callable[..., None]) -> None:
    """Make the backend known to hls4ml, which calls this when it is imported."""
    from hls4ml.backends import VivadoBackend
    from hls4ml.backends.vitis.vitis_backend import VitisBackend
    from hls4ml.model.flow import get_flow, register_flow
    from hls4ml.writer.writers import Writer

    class RtlWriter(Writer):  # type: ignore[misc]
        """Writes the project into the conversion's output folder."""

        def write_hls(self, model: Any) -> None:
            write_graph(model)

    class RtlBackend(VitisBackend):  # type: ignore[misc]
        """Vitis' passes without its templates' output."""

        def __init__(self) -> None:
            super(VivadoBackend, self).__init__(name=NAME)
            self._register_layer_attributes()
            self._register_flows()

        def _init_file_optimizers(self) -> dict[str, Any]:
            return {}

        def _register_flows(self) -> None:
            requirements = get_flow("vitis:ip").requires.copy()
            self._default_flow = register_flow("ip", None, requires=requirements, backend=self.name)
            self._writer_flow = register_flow(
                "write",
                [f"{NAME.lower()}:write_hls"],
                requires=[f"{NAME.lower()}:ip"],
                backend=self.name,
            )

        def create_initial_config(
            self,
            style: str = "folded",
            mode: str = "window",
            style_parameters: dict[str, int] | None = None,
            **options: Any,
        ) -> dict[str, Any]:
            """hls4ml's initial configuration with the fabric's options."""
            if mode not in MODES:
                raise UsageError(f"there is no mode {mode!r}; choose {', '.join(MODES)}")
            config: dict[str, Any] = super().create_initial_config(**options)
            config["Fabric"] = {"style": style, "mode": mode, "parameters": style_parameters or {}}
            return config

        def build(self, model: Any, **_options: Any) -> None:
            """Bitstreams are not built here."""
            raise UsageError(
                f"{NAME} writes RTL; simulate it with `pyorch simulate`, build it with your tools"
            )

    register_writer(NAME, RtlWriter)
    register_backend(NAME, RtlBackend)


def tools() -> dict[str, str]:
    """Versions of what turns a model into a graph."""
    return {"hls4ml": version("hls4ml")}


def write_graph(graph: Any) -> None:
    """Emit a ModelGraph into its output folder.

    Raises:
        ModelError, UsageError, BundleError: as `read_graph` and `emit_bundle`.
    """
    from hls.emit.graph import read_graph
    from hls.emit.project import emit_bundle

    config = graph.config.config
    fabric = config["Fabric"]
    found = read_graph(graph, name=graph.config.get_project_name(), mode=fabric["mode"])
    emit_bundle(
        found.bundle,
        fabric["style"],
        Path(graph.config.get_output_dir()),
        wire=found.wire,
        tools=tools(),
        **fabric["parameters"],
    )
