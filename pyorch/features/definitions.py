"""The features, each declared once: name, unit, window, exact arithmetic, parameters.

`pyorch.features.batch` is their executable definition, `pyorch/native/features.hpp` the streaming twin.
`docs/features.md` shows the table that `markdown_table` writes from here.

Common terms. A *tick* is made by the last row of each DEPTH, SNAPSHOT, TRADE or TIMER message of
instrument 0 while its book is valid and two-sided. A *segment* is a run of ticks through which the book
stays so; at its start every window, average and previous value begins anew. Book values change with the
last row of a DEPTH or SNAPSHOT message. ``now`` is the largest ``local_ns`` so far.

- ``mid = bid + ask`` (half-ticks), ``spread = ask - bid`` (ticks), ``qb``/``qa`` the best quantities;
- ``micro = 256·mid + micro_offset`` (1/256 half-tick), see `pyorch.features.arithmetic.micro_offset`;
- ``window(v)``: the sum of ``v`` over the bucket of ``now`` (``now >> bucket_bits``) and the 7 before it;
- ``ema(x)``: kept with 8 fraction bits; begins at x; at each edge between buckets of ``2^bucket_bits``
  ns ``ema += (x - ema) >> shift`` with the x that holds at the edge;
- ``atm``, ``skew``: of the latest SURFACE row of instrument 0 in the segment, in 1e-6, clamped;
- ``log2``, ``soft_log``: `pyorch.features.arithmetic`, in 1/256 octave.

Sources: R. Cont, A. Kukanov, S. Stoikov, "The price impact of order book events" (2014), for the order
flow; S. Stoikov, "The micro-price" (2018), for the weighted mid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from pyorch.contract.errors import UsageError
from pyorch.contract.events import Instrument
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.schema import Feature, FeatureSchema

WINDOW_BUCKETS = 8
"""Buckets in a window: the current one and the seven before."""
EMA_FRACTION = 8
"""Extra fraction bits of a moving average."""
BASIS_LIMIT = 1 << 40
"""The basis is clamped to plus and minus this."""
SURFACE_LIMIT = 1 << 30
"""Volatility and skew of SURFACE rows are clamped to plus and minus this, in 1e-6."""


@dataclass(frozen=True, slots=True)
class FeatureKind:
    """A computation that features name.

    Attributes:
        unit: of the raw integer.
        arithmetic: the formula, in the terms of this module's docstring.
        parameters: name → (smallest, largest) integer that it takes; every one must be given.
        signed: zero is its neutral value and a mirrored market changes its sign, so that its
            normalisation has no offset: a trend of the training block must not become one.
        instruments: instruments of the tape that it reads.
        surface: it reads SURFACE rows; without any it is as though the surface stood still.
    """

    name: str
    unit: str
    arithmetic: str
    parameters: dict[str, tuple[int, int]] = field(default_factory=dict)
    signed: bool = False
    instruments: int = 1
    surface: bool = False


OCTAVE = "octave/256"
_BUCKET, _KNEE, _SHIFT, _DEPTH = (16, 40), (0, 40), (1, 12), (1, 32)
_SCALE = (1, 1 << 20)

KINDS: dict[str, FeatureKind] = {
    kind.name: kind
    for kind in (
        FeatureKind(
            "micro_offset",
            "half-tick/256",
            "micro - 256·mid = (spread · share[log2(qb) - log2(qa)]) >> 7",
            signed=True,
        ),
        FeatureKind("spread", OCTAVE, "log2(spread)"),
        FeatureKind(
            "imbalance",
            OCTAVE,
            "log2(bid lots within `depth` levels) - log2(ask lots within `depth` levels)",
            {"depth": _DEPTH},
            signed=True,
        ),
        FeatureKind(
            "density",
            OCTAVE,
            "log2(lots within `depth` levels of `side`) - log2(ticks from the first to the last of them, "
            "both counted)",
            {"side": (0, 1), "depth": _DEPTH},
        ),
        FeatureKind(
            "order_flow",
            OCTAVE,
            "soft_log(window(e), `knee`), per book message "
            "e = [bid ≥ bid′]·qb - [bid ≤ bid′]·qb′ - [ask ≤ ask′]·qa + [ask ≥ ask′]·qa′ (′: before)",
            {"bucket_bits": _BUCKET, "knee": _KNEE},
            signed=True,
        ),
        FeatureKind(
            "trade_flow",
            OCTAVE,
            "soft_log(window(buyers' lots - sellers' lots), `knee`), by aggressor",
            {"bucket_bits": _BUCKET, "knee": _KNEE},
            signed=True,
        ),
        FeatureKind(
            "trade_intensity", OCTAVE, "log2(1 + window(trades))", {"bucket_bits": _BUCKET}
        ),
        FeatureKind(
            "aggressor_ratio",
            OCTAVE,
            "log2(1 + window(buyers' lots)) - log2(1 + window(sellers' lots))",
            {"bucket_bits": _BUCKET},
            signed=True,
        ),
        FeatureKind(
            "volatility",
            OCTAVE,
            "log2(1 + window((mid - mid′)²)), per book message",
            {"bucket_bits": _BUCKET},
        ),
        FeatureKind(
            "momentum",
            OCTAVE,
            "soft_log(micro - (ema(micro) >> 8), `knee`)",
            {"bucket_bits": _BUCKET, "shift": _SHIFT, "knee": _KNEE},
            signed=True,
        ),
        FeatureKind(
            "ema_difference",
            OCTAVE,
            "soft_log((ema(micro, `fast`) - ema(micro, `slow`)) >> 8, `knee`)",
            {"bucket_bits": _BUCKET, "fast": _SHIFT, "slow": _SHIFT, "knee": _KNEE},
            signed=True,
        ),
        FeatureKind(
            "mid_age",
            OCTAVE,
            "log2(1 + ((now - time of the last change of mid, or of the segment's start) >> 20)): "
            "steps of 1.05 ms",
        ),
        FeatureKind(
            "basis_momentum",
            OCTAVE,
            "soft_log(basis - (ema(basis) >> 8), `knee`), basis = `scale_0`·mid - `scale_1`·mid of "
            "instrument 1; 0 while the second book is not valid and two-sided, then begun anew",
            {
                "scale_0": _SCALE,
                "scale_1": _SCALE,
                "bucket_bits": _BUCKET,
                "shift": _SHIFT,
                "knee": _KNEE,
            },
            instruments=2,
            signed=True,
        ),
        FeatureKind(
            "atm_volatility_change",
            OCTAVE,
            "soft_log(window(atm - atm′), `knee`), per SURFACE row after the segment's first: what "
            "at-the-money volatility moved by",
            {"bucket_bits": _BUCKET, "knee": _KNEE},
            signed=True,
            surface=True,
        ),
        FeatureKind(
            "skew_change",
            OCTAVE,
            "soft_log(window(skew - skew′), `knee`), per SURFACE row after the segment's first: what "
            "the skew moved by",
            {"bucket_bits": _BUCKET, "knee": _KNEE},
            signed=True,
            surface=True,
        ),
        FeatureKind(
            "surface_age",
            OCTAVE,
            "log2(1 + ((now - time of the last SURFACE row, or of the segment's start) >> 20)): "
            "steps of 1.05 ms",
            surface=True,
        ),
    )
}
"""Every kind of feature, by name."""

COMPRESSED = tuple(kind.name for kind in KINDS.values() if "knee" in kind.parameters)
"""Kinds that pass through `soft_log`; their knee is fitted on the training block."""


def _feature(name: str, kind: str, **parameters: int) -> Feature:
    return Feature(name, kind, KINDS[kind].unit, parameters)


DEFAULT_FEATURES = (
    _feature("micro_offset", "micro_offset"),
    _feature("spread", "spread"),
    _feature("imbalance_1", "imbalance", depth=1),
    _feature("imbalance_5", "imbalance", depth=5),
    _feature("imbalance_10", "imbalance", depth=10),
    _feature("order_flow_134ms", "order_flow", bucket_bits=24, knee=0),
    _feature("order_flow_1s", "order_flow", bucket_bits=27, knee=0),
    _feature("density_bid_5", "density", side=0, depth=5),
    _feature("density_ask_5", "density", side=1, depth=5),
    _feature("trade_flow_134ms", "trade_flow", bucket_bits=24, knee=0),
    _feature("trade_intensity_1s", "trade_intensity", bucket_bits=27),
    _feature("aggressor_ratio_1s", "aggressor_ratio", bucket_bits=27),
    _feature("volatility_1s", "volatility", bucket_bits=27),
    _feature("volatility_8s", "volatility", bucket_bits=30),
    _feature("momentum_268ms", "momentum", bucket_bits=24, shift=4, knee=0),
    _feature("ema_difference_268ms_4s", "ema_difference", bucket_bits=24, fast=4, slow=8, knee=0),
)
"""The sixteen inputs of the default model."""

FURTHER_FEATURES = (
    _feature("trade_flow_1s", "trade_flow", bucket_bits=27, knee=0),
    _feature("trade_flow_8s", "trade_flow", bucket_bits=30, knee=0),
    _feature("volatility_69s", "volatility", bucket_bits=33),
    _feature("mid_age", "mid_age"),
)
"""What `extended_schema` adds."""

SURFACE_FEATURES = (
    _feature("atm_volatility_change_1s", "atm_volatility_change", bucket_bits=27, knee=0),
    _feature("atm_volatility_change_8s", "atm_volatility_change", bucket_bits=30, knee=0),
    _feature("skew_change_1s", "skew_change", bucket_bits=27, knee=0),
    _feature("skew_change_8s", "skew_change", bucket_bits=30, knee=0),
    _feature("surface_age", "surface_age"),
)
"""What `surface_schema` adds: how the volatility surface moved."""


def default_schema() -> FeatureSchema:
    """Sixteen features of one instrument in ``fixed<8,3,RND,SAT>``, not yet fitted."""
    return FeatureSchema(DEFAULT_FEATURES, FixedFormat(8, 3))


def extended_schema() -> FeatureSchema:
    """The default features and `FURTHER_FEATURES`: twenty of one instrument, not yet fitted."""
    return FeatureSchema(DEFAULT_FEATURES + FURTHER_FEATURES, FixedFormat(8, 3))


def surface_schema() -> FeatureSchema:
    """The default features and `SURFACE_FEATURES`: twenty-one of one instrument, not yet fitted."""
    return FeatureSchema(DEFAULT_FEATURES + SURFACE_FEATURES, FixedFormat(8, 3))


def schema_of(names: Sequence[str]) -> FeatureSchema:
    """Features of one instrument by name, in the order given, not yet fitted.

    Raises:
        UsageError: a name that is none of them, a repeated one, or no name.
    """
    declared = DEFAULT_FEATURES + FURTHER_FEATURES + SURFACE_FEATURES
    known = {feature.name: feature for feature in declared}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"unknown features {', '.join(unknown)}; there are {', '.join(known)}")
    schema = FeatureSchema(tuple(known[name] for name in names), FixedFormat(8, 3))
    check_schema(schema)
    return schema


def schema_with_basis(quoted: Instrument, other: Instrument) -> FeatureSchema:
    """The default features and the basis between two instruments against two of its averages.

    The basis' unit is the largest that divides the half-ticks of both instruments.

    Raises:
        UsageError: the two tick sizes have no common unit within 2^20.
    """
    sizes = [Fraction(Decimal(one.tick_size)) for one in (quoted, other)]
    scale_0, scale_1 = (sizes[0] / sizes[1]).as_integer_ratio()
    limit = _SCALE[1]
    if max(scale_0, scale_1) > limit:
        raise UsageError(
            f"ticks of {quoted.tick_size} and {other.tick_size} relate as {scale_0} to {scale_1}; "
            f"the limit is {limit}: give both tapes ticks that divide each other"
        )
    common = {"scale_0": scale_0, "scale_1": scale_1, "bucket_bits": 24, "knee": 0}
    basis = (
        _feature("basis_momentum_268ms", "basis_momentum", **common, shift=4),
        _feature("basis_momentum_4s", "basis_momentum", **common, shift=8),
    )
    return FeatureSchema(DEFAULT_FEATURES + basis, FixedFormat(8, 3), instruments=2)


def check_schema(schema: FeatureSchema) -> None:
    """Whether every feature names a kind with all its parameters in range.

    Raises:
        UsageError: it does not; the message names the feature and what it takes.
    """
    if not schema.features:
        raise UsageError("a feature schema needs at least one feature")
    repeated = {name for name in schema.names if schema.names.count(name) > 1}
    if repeated:
        raise UsageError(f"feature names must differ: {', '.join(sorted(repeated))} occurs twice")
    for feature in schema.features:
        kind = KINDS.get(feature.kind)
        if kind is None:
            raise UsageError(
                f"feature {feature.name}: no kind {feature.kind!r}; there are {', '.join(KINDS)}"
            )
        if set(feature.parameters) != set(kind.parameters):
            raise UsageError(
                f"feature {feature.name}: {kind.name} takes the parameters "
                f"({', '.join(kind.parameters)}), not ({', '.join(feature.parameters)})"
            )
        for name, (smallest, largest) in kind.parameters.items():
            value = feature.parameters[name]
            if not smallest <= value <= largest:
                raise UsageError(
                    f"feature {feature.name}: {name} = {value} is outside {smallest}…{largest}"
                )
        if kind.instruments > schema.instruments:
            raise UsageError(
                f"feature {feature.name}: {kind.name} reads {kind.instruments} instruments, the schema "
                f"{schema.instruments}"
            )
        if not 0 <= feature.shift <= 30 or not 0 <= feature.multiplier < 1 << 20:
            raise UsageError(
                f"feature {feature.name}: shift {feature.shift} or multiplier {feature.multiplier} is "
                "outside 0…30 or 0…2^20 - 1"
            )


def surface_names(schema: FeatureSchema) -> list[str]:
    """Names of the features that read SURFACE rows, in order."""
    return [one.name for one in schema.features if KINDS[one.kind].surface]


def with_knees(schema: FeatureSchema, knees: dict[str, int]) -> FeatureSchema:
    """The schema with the ``knee`` of the named features replaced."""
    features = tuple(
        replace(one, parameters=one.parameters | {"knee": knees[one.name]})
        if one.name in knees
        else one
        for one in schema.features
    )
    return replace(schema, features=features)


def span_ns(feature: Feature) -> int:
    """How far back a feature looks: its window, or 8 time constants of its slowest average; else 0."""
    parameters = feature.parameters
    if "bucket_bits" not in parameters:
        return 0
    bucket_ns = 1 << parameters["bucket_bits"]
    slowest = max(parameters.get("shift", 0), parameters.get("slow", 0))
    return bucket_ns * WINDOW_BUCKETS << slowest


def markdown_table(schema: FeatureSchema) -> str:
    """The features as a Markdown table: name, unit, arithmetic, parameters, span."""
    lines = ["| feature | unit | arithmetic | parameters | looks back |", "|---|---|---|---|---|"]
    for feature in schema.features:
        kind = KINDS[feature.kind]
        shown = ", ".join(
            f"{name} {value}" for name, value in feature.parameters.items() if name != "knee"
        )
        span = span_ns(feature)
        lines.append(
            f"| `{feature.name}` | {feature.unit} | {kind.arithmetic} | {shown or '–'} | "
            f"{f'{span / 1e9:.3g} s' if span else 'now'} |"
        )
    return "\n".join(lines) + "\n"
