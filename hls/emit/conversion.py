"""`pyorch emit`: a bundle through hls4ml's ModelGraph to RTL."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from hls.csim.project import PROJECT, graph_configuration, keras_model
from hls.csim.workarounds import hls4ml, quiet
from hls.emit.backend import NAME, tools
from hls.emit.events import EventShape
from hls.emit.events_project import emit_configured
from hls.emit.graph import GraphModel, read_graph
from hls.emit.ingress import Ingress
from hls.emit.project import emit_bundle
from hls.emit.style import refuse_unsupported
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.fixed import FixedFormat
from pyorch.inference.model_check import check_model
from pyorch.trading.config import QuotingConfig


def convert_to_rtl(
    bundle: Bundle, style: str, out: Path, *, wire: FixedFormat | None = None, **parameters: int
) -> FabricManifest:
    """Emit a bundle, once hls4ml's ModelGraph of it has proved to be the same model.

    Raises:
        ModelError: a layer, format or activation that the fabric does not carry.
        BuildError: hls4ml failed, or its graph is another model than the bundle.
        UsageError, BundleError: as `emit_bundle`.
    """
    prove_conversion(bundle)
    return emit_bundle(bundle, style, out, wire=wire, tools=tools(), **parameters)


def convert_to_events(
    bundle: Bundle,
    style: str,
    out: Path,
    config: QuotingConfig,
    shape: EventShape,
    ingress: Ingress | None = None,
    **parameters: int,
) -> FabricManifest:
    """Emit the feature path of a bundle with a configuration's policy built in, likewise proved.

    Raises:
        ModelError, BuildError: as `convert_to_rtl`, or a model that the path does not carry.
        UsageError, BundleError: as `emit_events`, or a rule that cannot be armed.
    """
    prove_conversion(bundle)
    return emit_configured(
        bundle, style, out, config, shape, ingress=ingress, tools=tools(), **parameters
    )


def prove_conversion(bundle: Bundle) -> None:
    """hls4ml's ModelGraph of a bundle is the same model.

    Raises:
        ModelError: a layer, format or activation that the fabric does not carry.
        BuildError: hls4ml failed, or its graph is another model than the bundle.
    """
    check_model(bundle)
    refuse_unsupported(bundle)
    compare_graph(graph_of(bundle), bundle)


def graph_of(bundle: Bundle) -> GraphModel:
    """hls4ml's ModelGraph of a bundle, by the backend `PyorchRTL`, read back.

    Raises:
        BuildError: hls4ml failed.
    """
    module = hls4ml()
    spec = bundle.spec
    tables = {
        f"{layer.name}.{kind}_table": bundle.weights[f"{layer.name}.{kind}_table"]
        for layer in spec.lstm_layers
        for kind in ("gate", "cell")
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet():
                graph = module.converters.convert_from_keras_model(
                    keras_model(bundle, spec.window),
                    hls_config=graph_configuration(bundle, stock=False, sequences=False),
                    backend=NAME,
                    output_dir=folder,
                    project_name=PROJECT,
                    io_type="io_parallel",
                    mode=spec.mode,
                )
        except Exception as error:  # hls4ml raises bare exceptions and assertions
            raise BuildError(
                f"hls4ml could not convert {spec.name}: {type(error).__name__}: {error}"
            ) from error
    return read_graph(
        graph, name=spec.name, mode=spec.mode, tables=tables, index=spec.lstm_layers[0].gate.index
    )


def compare_graph(found: GraphModel, bundle: Bundle) -> None:
    """Every layer, format and weight of the graph against the bundle's.

    Raises:
        BuildError: a difference; the message names it.
    """
    for ours, theirs in zip(bundle.spec.layers, found.bundle.spec.layers, strict=True):
        if ours != theirs:
            raise BuildError(
                f"{bundle.spec.name}: hls4ml's graph has {theirs}, the bundle {ours}; this version of hls4ml "
                "converts differently, use 1.3.0"
            )
        for part in ("kernel", "recurrent", "bias"):
            key = f"{ours.name}.{part}"
            if key in bundle.weights and not np.array_equal(
                bundle.weights[key], found.bundle.weights[key]
            ):
                raise BuildError(f"{key}: the weights of hls4ml's graph are not the bundle's")
