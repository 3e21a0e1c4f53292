"""ONNX → serialised TensorRT engine: one builder for both packages and their versions.

Networks are strongly typed: every type is what the graph says, nothing is left to the builder's choice.
TensorRT 10 asks for that by a flag, 11 knows nothing else, and `tensorrt_rtx` has both. TF32 is off, as
it would round the integers of exact graphs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from gpu_fallback.export.graph import check_static
from gpu_fallback.trt.api import Api
from pyorch.contract.errors import BuildError, UsageError


@dataclass(frozen=True, slots=True)
class Settings:
    """What a build depends on besides the model and the library.

    Attributes:
        compute_capability: the GPU's, as ``sm90``; empty: that of the GPU at hand, or for
            `tensorrt_rtx` any that the library supports (its engines are compiled for the GPU when they
            are first run).
        workspace_mib: most scratch memory.
        optimisation: the builder's level, 0 to 5.
    """

    compute_capability: str = ""
    workspace_mib: int = 64
    optimisation: int = 3

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, part of a cached engine's key."""
        return asdict(self)


def build_engine(api: Api, model: bytes, settings: Settings | None = None) -> bytes:
    """The serialised engine of a static ONNX model.

    Raises:
        ModelError: the graph is not static (`check_static`).
        BuildError: the library does not parse or build it; the message has its own words.
        UsageError: settings that this package does not know.
    """
    settings = settings or Settings()
    check_static(model)
    trt, logger = api.module, api.logger()
    builder = trt.Builder(logger)
    network = builder.create_network(_strongly_typed(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model):
        errors = "; ".join(str(parser.get_error(k)) for k in range(parser.num_errors))
        raise BuildError(f"{api.name} {api.version} does not parse the graph: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
    config.builder_optimization_level = settings.optimisation
    if hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)
    if settings.compute_capability:
        _set_capability(api, config, settings.compute_capability)
    serialised = builder.build_serialized_network(network, config)
    if serialised is None:
        raise BuildError(
            f"{api.name} {api.version} parsed the graph of {network.num_layers} layers and built no "
            "engine; run with its logger at INFO, or export in another precision"
        )
    return bytes(serialised)


def _strongly_typed(trt: Any) -> int:
    """The network's creation flags: the flag for strong typing where the version still has it."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _set_capability(api: Api, config: Any, capability: str) -> None:
    known = getattr(api.module, "ComputeCapability", None)
    member = getattr(known, capability.upper(), None) if known is not None else None
    if member is None:
        names = [name for name in dir(known) if name.startswith("SM")] if known is not None else []
        known_names = ", ".join(names) or "none"
        raise UsageError(
            f"{api.name} {api.version} does not build for {capability!r} from afar; it names "
            f"{known_names}. Leave the compute capability empty and build on the GPU itself"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(member, 0)
