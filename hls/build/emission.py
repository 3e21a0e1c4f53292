"""The step `emit` as a process of its own: the fabric's project and the target's files, from a plan."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from hls.build.plan import BuildPlan
from hls.emit.events import EventShape
from hls.emit.events_project import emit_configured
from hls.emit.project import emit_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, PyorchError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.target import VendorTarget, find_target
from pyorch.trading.config import load_config

FABRIC = "fabric"
TARGET = "target"
HLS = "hls4ml"
"""hls4ml's project, where it takes the place of a fabric."""
ORDER = "target.f"
"""The target's sources in the order of compilation."""


def emit_for(plan: BuildPlan, bundle: Path, folder: Path, config: Path | None = None) -> None:
    """Write ``fabric`` and ``target`` into ``folder``.

    Args:
        config: quoting configuration of a top that takes events; None: the default one.

    Raises:
        BuildError: the bundle or the configuration is not the plan's.
        PyorchError: as `emit_bundle`, `emit_configured` and the target.
    """
    loaded = Bundle.load(bundle)
    if loaded.digest() != plan.model_digest:
        raise BuildError(f"{bundle} changed while it was being built; run the same command again")
    if plan.style == HLS:
        _emit_cpp(plan, loaded, folder)
        return
    if plan.top == "events":
        manifest = _emit_events(plan, loaded, folder, config)
    else:
        manifest = emit_bundle(
            loaded,
            plan.style,
            folder / FABRIC,
            wire=FixedFormat.parse(plan.wire) if plan.wire else None,
            tools=None,
            **plan.parameters,
        )
    texts = find_target(plan.target).files(manifest, plan.clock_mhz)
    _write(folder / TARGET, texts)
    order = [name for name in texts if name.endswith(".sv")]
    (folder / TARGET / ORDER).write_text("".join(f"{name}\n" for name in order))


def _emit_events(
    plan: BuildPlan, bundle: Bundle, folder: Path, config: Path | None
) -> FabricManifest:
    """A feature path with the policy of the plan's configuration."""
    quoting = load_config(config)
    if quoting.digest() != plan.quoting_digest:
        raise BuildError(
            f"{config or 'the default configuration'} changed while it was being built; run the same "
            "command again"
        )
    shape = EventShape(**plan.shape)
    return emit_configured(
        bundle,
        plan.style,
        folder / FABRIC,
        quoting,
        shape,
        tools=None,
        ingress=None,
        **plan.parameters,
    )


def _emit_cpp(plan: BuildPlan, bundle: Bundle, folder: Path) -> None:
    """hls4ml's project and the scripts for it."""
    from hls.vitis.project import write_vendor_project

    target = find_target(plan.target)
    assert isinstance(target, VendorTarget)
    project = write_vendor_project(bundle, folder / HLS, target.ordering, plan.clock_mhz)
    _write(folder / TARGET, target.for_hls().hls_files(project, plan.clock_mhz))


def _write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main() -> None:
    """``emission PLAN BUNDLE [CONFIG]``: into the working directory."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=BuildPlan)
    try:
        config = Path(sys.argv[3]) if len(sys.argv) > 3 else None
        emit_for(plan, Path(sys.argv[2]), Path(), config)
    except PyorchError as error:
        print(f"{type(error).__name__}: {error}")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
