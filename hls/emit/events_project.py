"""A bundle and its quoting policy become the project folder of a feature path."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hls.emit import features
from hls.emit.banking import banked_features, banked_sources
from hls.emit.events import EventPlan, EventShape, plan_events
from hls.emit.events_text import (
    EXP_FILE,
    POLICY_FILE,
    SIGMOID_FILE,
    decision_scores,
    events_top,
)
from hls.emit.features_text import market_features
from hls.emit.ingress import SOURCES as INGRESS
from hls.emit.ingress import Ingress
from hls.emit.project import (
    MODEL_FILE,
    image_of,
    path_digest,
    render,
    require_place,
    style_of,
    write_project,
)
from hls.emit.text import core_text
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import PolicyImage
from pyorch.contract.digest import digest_of, digest_of_bytes
from pyorch.contract.fabric import EventPath, FabricManifest, rtl_folder
from pyorch.contract.model import ModelSpec
from pyorch.inference.model_check import check_model
from pyorch.trading.arming import arm_rules, arm_shift
from pyorch.trading.config import QuotingConfig
from pyorch.trading.policy_image import policy_image

PATH = (
    "convert.sv", "constant_memory.sv", "kept_window.sv", "sequencer.sv", "small_queue.sv",
    "event_decoder.sv", "book_side.sv", "price_book.sv", *features.SOURCES,
    "softmax.sv", "sigmoid_score.sv", "calibrate.sv", "score_conditions.sv", "policy_rules.sv",
    "policy_store.sv", "decision_word.sv", "axil_port.sv", "loader.sv",
)  # fmt: skip


def emit_events(
    bundle: Bundle,
    style: str,
    out: Path,
    policy: PolicyImage,
    shape: EventShape | None = None,
    *,
    ingress: Ingress | None = None,
    tools: dict[str, str] | None = None,
    **parameters: int,
) -> FabricManifest:
    """Write the project ``out``, whole or not at all.

    Args:
        style: of the core.
        policy: the built-in policy set, with room for as many rules as ``shape`` has.
        ingress: events come from UDP, not from a stream of beats.
        parameters: of the style.

    Raises:
        ModelError: a layer or format that the style does not carry, or a model that the path does not.
        UsageError: parameters unknown or outside their range, or features that the path cannot compute.
        BundleError: ``out`` exists and is not an emitted project.
    """
    require_place(out)
    check_model(bundle)
    core, shape = style_of(style).plan(bundle, **parameters), shape or EventShape()
    plan = plan_events(bundle, core, shape)
    framed, files = render(bundle, core, bundle.spec.input, tools)
    framed = msgspec.structs.replace(
        framed, format_digest=path_digest(bundle, framed.format_digest)
    )
    words = len(policy.addresses)
    policy_format = policy_format_of(bundle.spec, shape)
    loader: dict[str, int | str] = {
        "LOADABLE": int(core.loadable), "IMAGE_WORDS": framed.image_words, "MODEL_FILE": MODEL_FILE,
        "FORMAT_DIGEST": int(framed.format_digest[:16], 16), "POLICY_FORMAT": int(policy_format, 16),
    }  # fmt: skip
    names = (*(INGRESS if ingress else ()), *PATH, *core.rtl)
    texts = {name: (rtl_folder() / name).read_text() for name in dict.fromkeys(names)}
    texts |= {
        **core.generated,
        "fabric_core.sv": core_text(bundle.spec, core),
        **_paths(plan),
        "event_registers.sv": (rtl_folder() / "event_registers.sv").read_text(),
        "events_top.sv": events_top(plan, loader, words, ingress),
    }
    memories = {name: files[name] for name in framed.memories} | features.tables()
    for name, table in ((EXP_FILE, "exp_table"), (SIGMOID_FILE, "sigmoid_table")):
        if table in bundle.weights:
            memories[name] = "".join(f"{int(value):04x}\n" for value in bundle.weights[table])
    memories[POLICY_FILE] = policy.hex()
    manifest = msgspec.structs.replace(
        framed,
        top="events_top",
        sources=_digests(texts),
        memories=_digests(memories),
        cycles=plan.cycles() | (ingress.cycles() if ingress else {}),
        stages=plan.stages(levels=True),
        events=EventPath(
            **{name: getattr(shape, name) for name in shape.__slots__},
            policy_words=words,
            policy_format=policy_format,
            policy_digest=f"{policy.digest:016x}",
            schema=plan.features.schema.digest(),
            ingress=ingress.described() if ingress else None,
        ),
    )
    image = image_of(bundle, core, manifest.format_digest)
    write_project(out, manifest, texts | memories, image)
    return manifest


def emit_configured(
    bundle: Bundle,
    style: str,
    out: Path,
    config: QuotingConfig,
    shape: EventShape,
    *,
    ingress: Ingress | None = None,
    tools: dict[str, str] | None = None,
    **parameters: int,
) -> FabricManifest:
    """`emit_events` with the policy of a configuration built in.

    Raises:
        UsageError: besides, a rule that cannot be armed, or more than there is room for.
    """
    policy = configured_policy(bundle, config, shape.rules)
    return emit_events(
        bundle, style, out, policy, shape, ingress=ingress, tools=tools, **parameters
    )


def configured_policy(bundle: Bundle, config: QuotingConfig, rules: int) -> PolicyImage:
    """The policy of a configuration for a bundle, in a fabric with room for ``rules``."""
    armed, shift = arm_rules(config.rules, bundle), arm_shift(config.fair_shift, bundle)
    ticks = config.quoting.warm_up_ticks
    return policy_image(bundle.spec, bundle.weights["calibration"], armed, shift, ticks, rules)


def policy_format_of(spec: ModelSpec, shape: EventShape) -> str:
    """What policy images of one path share, the first 64 bits of a digest: which outputs, how many rules."""
    kinds = [head.kind for head in spec.heads for _ in head.outputs]
    return digest_of({"outputs": kinds, "rules": shape.rules})[:16]


def _paths(plan: EventPlan) -> dict[str, str]:
    """The sources that depend on how many instruments have a path."""
    features, paths = market_features(plan.features), plan.shape.paths
    if paths > 1:
        features = banked_features(features, plan.features, paths)
    names = ("fair_queue.sv", "instrument_states.sv", "event_path.sv")
    return (
        (banked_sources(paths) if paths > 1 else {})
        | {"market_features.sv": features, "decision_scores.sv": decision_scores(plan)}
        | {name: (rtl_folder() / name).read_text() for name in names}
    )


def _digests(texts: dict[str, str]) -> dict[str, str]:
    return {name: digest_of_bytes(text.encode()) for name, text in texts.items()}
