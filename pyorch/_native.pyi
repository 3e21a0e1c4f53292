"""
Native stages of the tick path; each has a Python twin that defines it.
"""

from collections.abc import Mapping, Sequence
import enum
from typing import Annotated

import numpy
from numpy.typing import NDArray


class Book:
    """
    Level-2 book with venue sequence rules; twin of pyorch.market.book.Book.
    """

    def __init__(self, capacity: int = 8192) -> None: ...

    def apply_all(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], instrument: int = 0) -> None:
        """Apply the rows of one instrument; ``words`` is `event_words(events)`."""

    def trace(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], instrument: int = 0) -> Annotated[NDArray[numpy.int64], dict(shape=(None, None))]:
        """
        Apply the rows of one instrument; int64 [rows, 6] after each row of the array: best bid ticks and lots, best ask ticks and lots (0 where empty), valid, sequence.
        """

    def levels(self, side: int, n: int) -> list[tuple[int, int]]:
        """Up to n (price_ticks, quantity_lots), best first."""

    def depth(self, side: int) -> int:
        """Levels of a side."""

    @property
    def valid(self) -> bool:
        """After a snapshot, until a gap, reset or cross."""

    @property
    def two_sided(self) -> bool:
        """Both sides hold a level."""

    @property
    def sequence(self) -> int:
        """Update id of the book's state; -1 where there is none."""

    @property
    def counts(self) -> dict[str, int]:
        """
        Messages applied, gaps, crosses, stale, dropped, resets, discarded levels.
        """

def wire_encode(words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], session: int = 0, first_number: int = 0, beats_a_frame: int = 0) -> tuple[Annotated[NDArray[numpy.uint64], dict(shape=(None,))], Annotated[NDArray[numpy.uint8], dict(shape=(None,))], int]:
    """
    Rows as beats; twin of pyorch.market.wire.encode. Returns beats (uint64 [n]), ends (uint8 [n]) and events.
    """

class WireDecoder:
    """Beats as rows; twin of pyorch.market.wire_decoder.WireDecoder."""

    def __init__(self, instruments: int = 1, stale_ns: int | None = None) -> None: ...

    def push(self, beats: Annotated[NDArray[numpy.uint64], dict(shape=(None,), order='C', device='cpu', writable=False)], ends: Annotated[NDArray[numpy.uint8], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> tuple[Annotated[NDArray[numpy.int64], dict(shape=(None,))], Annotated[NDArray[numpy.uint32], dict(shape=(None,))], Annotated[NDArray[numpy.uint8], dict(shape=(None,))]]:
        """
        Take beats (uint64 [n]) and the marks of last ones (uint8 [n]); returns the complete rows (int64 [8 n]: `event_words`, flattened), their numbers and whether they are stale.
        """

    @property
    def counts(self) -> dict[str, int]:
        """Events, duplicates, gaps, lost, sessions, malformed, truncated, stale."""

class FeedRingWriter:
    """The one writer of a ring of events in a file (shared memory)."""

    def __init__(self, path: str, capacity: int, description: str) -> None: ...

    def write(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)]) -> None:
        """Append rows; ``words`` is `event_words(events)`."""

    @property
    def published(self) -> int:
        """Records since the ring was made."""

    @property
    def wanted(self) -> int:
        """How often readers have asked for snapshots."""

class FeedRingReader:
    """One of any number of readers of a ring of events."""

    def __init__(self, path: str, oldest: bool = False) -> None: ...

    def read(self, most: int) -> tuple[Annotated[NDArray[numpy.int64], dict(shape=(None, None))], bool]:
        """
        Up to ``most`` rows as int64 [rows, 8], and whether records are missing before the first of them.
        """

    def want_snapshots(self) -> None:
        """Ask the writer for a snapshot of every book."""

    @property
    def capacity(self) -> int:
        """Slots."""

    @property
    def description(self) -> str:
        """JSON that the writer gave."""

    @property
    def published(self) -> int:
        """Records since the ring was made."""

    @property
    def writers(self) -> int:
        """How many writers the ring has had."""

    @property
    def next(self) -> int:
        """Number of the record that is read next."""

    @property
    def lost(self) -> int:
        """Records that the writer overwrote before they were read."""

    @property
    def discarded(self) -> int:
        """Copies thrown away since the writer wrote there meanwhile."""

class FeatureStream:
    """
    Streaming features with their books; twin of pyorch.features.batch.compute. Open one with pyorch.features.streaming.open_stream.
    """

    def __init__(self, features: Sequence[tuple[str, Mapping[str, int], int, int, int]], log2_table: Sequence[int], micro_table: Sequence[int], minimum: int, maximum: int, instruments: int, book_capacity: int = 8192) -> None: ...

    def run(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], near_levels: int = 5, slippage_lots: int = 1) -> dict[str, object]:
        """
        Apply events (`event_words(events)`); a dict of arrays, one row a tick: features int32 [ticks, F], raw, row, local_ns, segments, mid (half-ticks), micro (1/256 half-tick), near_lots [ticks, 2], cost [ticks, 2].
        """

    def time_events(self, words: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)]) -> tuple[float, int]:
        """Apply events and keep nothing: (nanoseconds, ticks)."""

    @property
    def size(self) -> int:
        """Features a tick."""

    @property
    def active(self) -> bool:
        """The book of instrument 0 is valid and two-sided."""

class LstmPart(enum.Enum):
    """A part of a tick, for `LstmEngine.time_part`."""

    call = 0
    """nothing: what a measurement costs by itself"""

    pack = 1
    """x into the form that the kernels read"""

    input = 2
    """x·W + (R·h + b)"""

    tail = 3
    """tables, c and h"""

    dense = 4
    """dense layers and their conversion"""

    scores = 5
    """probabilities and calibration"""

    recurrent = 6
    """R·h + b"""

    lstm = 7
    """pack, input, tail and recurrent"""

class LstmEngine:
    """
    The LSTM in SIMD or scalar integers; see pyorch.inference.cpu for the checked form.
    """

    def __init__(self, flat: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], simd: str = 'auto') -> None: ...

    @staticmethod
    def available() -> list[str]:
        """Implementations of this processor, best first."""

    def step(self, features: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
        """One tick [F]: logits and scores, each [O]."""

    def prepare(self) -> None:
        """What can be known before the next tick."""

    def run(self, features: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)], one_by_one: bool = False) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
        """
        Ticks [n, F], one after the other: logits and scores, each [n, O]; together, or each as it comes in a stream.
        """

    def time_ticks(self, features: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> tuple[NDArray[numpy.int64], int, int]:
        """
        Ticks [n, F], timed: ns of each step with the preparation done before it, then, of the same ticks again, ns of all steps and preparations back to back, and of the same in one call of `run`. A clock reading is included in each.
        """

    def time_part(self, part: LstmPart, features: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> int:
        """
        Vectors [n, F]: ns of one part of a tick n times back to back; the stream starts anew after it.
        """

    def time_floor(self, weight_bytes: int, runs: int) -> NDArray[numpy.int64]:
        """
        ns of each pass of one dot-product instruction for every 64 bytes of weights, rounded up to 1,024 bytes, a clock reading included: what no kernel can beat that reads its weights for every tick. Empty where the path has no such instruction.
        """

    def window(self, features: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
        """A window [t, F] from zero state."""

    def reset(self) -> None:
        """Zero state, no vectors."""

    def feed(self, features: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None:
        """A vector before the next tick, without an answer."""

    def layer_state(self, layer: int) -> tuple[NDArray[numpy.int32], NDArray[numpy.int32]]:
        """h and c of a layer of a stateful model."""

    def load_layer(self, layer: int, hidden: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], cell: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def vectors(self) -> NDArray[numpy.int32]:
        """The last min(steps, T - 1) vectors of a windowed model."""

    @property
    def steps(self) -> int:
        """Ticks since the last reset."""

    @steps.setter
    def steps(self, arg: int, /) -> None: ...

    @property
    def simd(self) -> str: ...

    @property
    def fused(self) -> str:
        """
        How the fused kernel of small models looks tables up: `lines` or `permutes`; empty where it is not used.
        """

    @property
    def simd_layers(self) -> int:
        """Layers that run in SIMD altogether."""

class FixOrderTemplates:
    """
    FIX 4.4 orders and quotes on request as bytes; pyorch.trading.fix.codec defines them.
    """

    def __init__(self, sender: str, target: str, account: str, symbols: Sequence[str], price: tuple[int, int], size: tuple[int, int]) -> None: ...

    def order(self, sequence: int, local_ns: int, option: int, side: int, price: int, lots: int, rests: bool, minimum: int = 0) -> bytes: ...

    def replace(self, sequence: int, local_ns: int, option: int, side: int, of: int, price: int, lots: int) -> bytes: ...

    def take_back(self, sequence: int, local_ns: int, option: int, side: int, of: int) -> bytes: ...

    def quote(self, sequence: int, local_ns: int, request: int, option: int, side: int, price: int, lots: int, until_ns: int) -> bytes: ...

    def mass_status(self, sequence: int, local_ns: int) -> bytes: ...

def journal_layout() -> tuple[list[int], list[int]]:
    """Offsets of the fields of a tick record and of a quote record."""

class QuotingSettings:
    """All that the quoting path is told, once, before it runs."""

    def __init__(self) -> None: ...

    @property
    def strikes_usd(self) -> list[int]: ...

    @strikes_usd.setter
    def strikes_usd(self, arg: Sequence[int], /) -> None: ...

    @property
    def expiries_s(self) -> list[int]: ...

    @expiries_s.setter
    def expiries_s(self, arg: Sequence[int], /) -> None: ...

    @property
    def rights(self) -> int: ...

    @rights.setter
    def rights(self, arg: int, /) -> None: ...

    @property
    def half_tick_usd(self) -> float: ...

    @half_tick_usd.setter
    def half_tick_usd(self, arg: float, /) -> None: ...

    @property
    def base_half_spread_bp100(self) -> int: ...

    @base_half_spread_bp100.setter
    def base_half_spread_bp100(self, arg: int, /) -> None: ...

    @property
    def features(self) -> int: ...

    @features.setter
    def features(self, arg: int, /) -> None: ...

    @property
    def outputs(self) -> int: ...

    @outputs.setter
    def outputs(self, arg: int, /) -> None: ...

    @property
    def probability_outputs(self) -> list[int]: ...

    @probability_outputs.setter
    def probability_outputs(self, arg: Sequence[int], /) -> None: ...

    @property
    def warm_up_ticks(self) -> int: ...

    @warm_up_ticks.setter
    def warm_up_ticks(self, arg: int, /) -> None: ...

    @property
    def cold_bp100(self) -> int: ...

    @cold_bp100.setter
    def cold_bp100(self, arg: int, /) -> None: ...

    @property
    def origin_ns(self) -> int: ...

    @origin_ns.setter
    def origin_ns(self, arg: int, /) -> None: ...

    @property
    def kernel(self) -> str: ...

    @kernel.setter
    def kernel(self, arg: str, /) -> None: ...

    @property
    def tick_ring(self) -> int: ...

    @tick_ring.setter
    def tick_ring(self, arg: int, /) -> None: ...

    @property
    def quote_ring(self) -> int: ...

    @quote_ring.setter
    def quote_ring(self, arg: int, /) -> None: ...

    @property
    def fix_ring(self) -> int: ...

    @fix_ring.setter
    def fix_ring(self, arg: int, /) -> None: ...

    def set_surface(self, parameters_ppm: Sequence[Sequence[int]], maximum_age_ns: int) -> None: ...

    def add_rule(self, *, armed: bool, endangered_down: bool, both_sides: bool, outputs: Sequence[int], thresholds: Sequence[int], releases: Sequence[int], widen_bp100: int, size_percent: int, dwell_ns: int, reach: int, caution: bool) -> None: ...

    def set_fair_shift(self, *, up: int, down: int, move_bp100: int, deadband: int, maximum_bp100: int, step_bp100: int, armed: bool) -> None: ...

    def set_inventory(self, *, delta_skew_bp100: int, delta_scale_lots: int, position_skew_bp100: int, position_scale_lots: int) -> None: ...

    def set_terms(self, *, tick_nano: int, coarse_tick_factor: int, coarse_from_nano: int, base_nano: int, size_lots: int, minimum_size_lots: int, minimum_change_ticks: int, minimum_interval_ns: int) -> None: ...

    def set_limits(self, *, price_collar_ticks: int, bounds: Sequence[int], quotes_per_second: int, quotes_burst: int, positions_lots: Sequence[int], venues: Sequence[int], acknowledged: bool, acknowledge_ns: int, reference_interval_ns: int, reference_age_ns: int, protection: Sequence[int]) -> None: ...

    @property
    def targets(self) -> list[str]: ...

    @targets.setter
    def targets(self, arg: Sequence[str], /) -> None: ...

    @property
    def answers(self) -> int:
        """stated_answer.AnswerSource"""

    @answers.setter
    def answers(self, arg: int, /) -> None: ...

    @property
    def stop_when_full(self) -> bool: ...

    @stop_when_full.setter
    def stop_when_full(self, arg: bool, /) -> None: ...

    def set_fix(self, *, sender: str, target: str, account: str, underlying: str, symbols: Sequence[str], price_units: int, price_places: int, size_units: int, size_places: int) -> None: ...

class QuotingPath:
    """Policy, pricing, quoting, risk and FIX encoding, tick by tick."""

    def __init__(self, settings: QuotingSettings) -> None: ...

    def surface(self, atm_ppm: int, skew_ppm: int, local_ns: int) -> None:
        """Take in a SURFACE row."""

    def trade(self, price_ticks: int, local_ns: int) -> None:
        """Take in a TRADE row of instrument 0."""

    def take(self, inputs: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)]) -> None:
        """Take in rows of pyorch.trading.inputs.INPUT_DTYPE."""

    @property
    def surfaces_refused(self) -> int:
        """SURFACE rows that would have made arbitrage."""

    def kill(self, up: bool = True) -> None:
        """Raise or lower the kill flag; it is read at every tick."""

    def tick(self, row: int, local_ns: int, sequence: int, forward_half_ticks: int, features: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], logits: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], scores: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], data_valid: bool, by: int = 0, assurance: int = 0, late: bool = False, inexact: bool = False, answer_ns: int = 0) -> None:
        """
        Take in a tick. Raises RuntimeError when the rings are full: drain at least every 1,000 ticks.
        """

    def check_order(self, option: int, side: int, price_ticks: int, lots: int, local_ns: int) -> int:
        """
        records.Refusal of an order beside the quotes, or the number of refusals: it may go out.
        """

    def invalidate(self, row: int, local_ns: int, sequence: int) -> None:
        """
        The book became invalid: withdraw everything, forget dwell and warm-up.
        """

    @property
    def positions_lots(self) -> list[int]: ...

    @property
    def open_lots(self) -> list[tuple[int, int]]:
        """Per option what could still be bought and sold."""

    def refusals(self) -> list[int]:
        """Counters of the risk gate by reason."""

    def drain(self, limit: int = 18446744073709551615) -> tuple[bytes, bytes, bytes]:
        """
        (ticks, quotes, FIX) as bytes: whole ticks recorded since the last call.
        """

class TickClock:
    """Time as the tick thread's failover sees it."""

    @property
    def now_ns(self) -> int: ...

class CoreClock(TickClock):
    """The core's cycle counter."""

    def __init__(self) -> None: ...

class SimulatedClock(TickClock):
    """A simulated fabric's cycles."""

    def __init__(self, fabric: int, cycles: int, run: int, cycle_ns: float, gap_cycles: int) -> None:
        """Addresses as SimulatedFabricClient's; cycles from tick to tick."""

class ManualClock(TickClock):
    """Moves when it is told to."""

    def __init__(self, gap_ns: int) -> None:
        """gap_ns: passes between two ticks."""

    def advance(self, ns: int) -> None: ...

class TickEngine:
    """What the tick loop asks of an engine."""

class LstmTickEngine(TickEngine):
    """The native LSTM in the tick loop."""

    def __init__(self, engine: LstmEngine) -> None: ...

class TableTickEngine(TickEngine):
    """Answers made beforehand, one a tick."""

    def __init__(self, features: int, scores: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> None:
        """scores: int64 [ticks, outputs]; logits are the same."""

class Card(TickEngine):
    """A device beside the processor that answers ticks."""

class SimulatedFabricClient(Card):
    """A simulated fabric's mailbox."""

    def __init__(self, *, model: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], fabric: int, write: int, read: int, input_lane: int, output_lane: int, polls: int, format_digest: int, model_digest: int, clock: TickClock, faults: Sequence[tuple[int, int]], slow_ns: int, failing_resets: int) -> None:
        """
        fabric, write, read: addresses of the simulation and of its functions. digests: their first 64 bits. faults: (doorbell, fault) as in sim.native_faults.
        """

    @property
    def struck(self) -> int:
        """Faults that have struck."""

class SoftwareCard(Card):
    """A card in software that fails on command, and its client."""

    def __init__(self, *, model: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], broken: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], clock: ManualClock, access_ns: int, tick_ns: int, faults: Sequence[tuple[int, int]], slow_ns: int, failing_resets: int) -> None:
        """
        broken: what the fault `weight` turns the model into. access_ns: of a register.
        """

    @property
    def struck(self) -> int:
        """Faults that have struck."""

class MappedFabricClient(Card):
    """A card's mailbox."""

    def __init__(self, *, model: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], base: int, input_lane: int, output_lane: int, polls: int, format_digest: int, model_digest: int) -> None:
        """base: address at which the registers are mapped."""

def state_after(state: int, incident: int) -> int:
    """
    The next state of a card, or -1: it cannot befall it. Numbers in the order of the enumerations.
    """

class FailoverEngine(TickEngine):
    """A card with the native engine as its hot shadow."""

    def __init__(self, *, card: Card, shadow: LstmEngine, arbiter: LstmEngine, clock: TickClock, model: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], golden_features: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)], golden_logits: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], deadline_ns: int, patience_ns: int, hung_ns: int, heartbeat_ns: int, retry_ns: int, most_retry_ns: int, every: int, checkpoint_ticks: int, probation_ticks: int) -> None:
        """Times in ns of the clock; docs/failover.md says what each is."""

    def step(self, features: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> tuple[list[int], list[int], int, int, bool, int]:
        """
        One tick and what follows it, for callers without a tick loop: (logits, scores, by, assurance, late, ns).
        """

    def run(self, features: Annotated[NDArray[numpy.int32], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
        """
        Many ticks [n, F]: logits [n, O], and (by, assurance, late, ns) of each [n, 4].
        """

    def reset(self) -> bool:
        """Zero state before the next tick."""

    @property
    def state(self) -> int:
        """Of the card; valid between ticks."""

    @property
    def counts(self) -> dict[str, int]:
        """Valid between ticks."""

    def drain(self) -> bytes:
        """
        Incidents so far, oldest first, as bytes of pyorch.inference.failover.native.INCIDENT_DTYPE.
        """

class EventCard:
    """A card that takes market events and gives decision words."""

class SimulatedEventCard(EventCard):
    """A Verilated feature path."""

    def __init__(self, *, path: int, offer: int, take: int, reset: int, read: int, format_digest: int, clock: TickClock, faults: Sequence[tuple[int, int]], slow_ns: int) -> None:
        """
        path and functions: addresses. faults: (frame, fault) as in sim.event_faults. The digest: its first 64 bits.
        """

    @property
    def struck(self) -> int:
        """Faults that have struck."""

class DecisionPair:
    """A card that decides, and the tick loop as its shadow in lockstep."""

    def __init__(self, *, card: EventCard, clock: TickClock, model_digest: int, policy_digest: int, instruments: int, deadline_ns: int, patience_ns: int, hung_ns: int, retry_ns: int, most_retry_ns: int, probation_ticks: int) -> None:
        """Times in ns of the clock; docs/failover.md says what each is."""

    @property
    def state(self) -> int:
        """Of the card; of a finished loop."""

    @property
    def counts(self) -> dict[str, int]:
        """Of a finished loop."""

    def drain(self) -> bytes:
        """
        Decisions so far as bytes of pyorch.trading.decisions.DECISION_RECORD_DTYPE.
        """

    def drain_incidents(self) -> bytes:
        """As bytes of pyorch.inference.failover.native.INCIDENT_DTYPE."""

class TickLoop:
    """Events to FIX bytes on one native thread; see pyorch.trading.loop."""

    def __init__(self, settings: QuotingSettings, stream: FeatureStream, engine: TickEngine, events: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)], passes: int = 1, cpu: int = -1, guarded: bool = False, decisions: DecisionPair | None = None) -> None:
        """
        decisions: a card that decides on the same events. guarded: any system call of the tick thread ends the process with SIGSYS.
        """

    def start(self) -> None:
        """Start the tick thread, once."""

    def stop(self) -> None:
        """Ask the tick thread to end before its next event."""

    def join(self) -> None:
        """Wait for the tick thread's end."""

    def abandon(self) -> None:
        """
        Nobody will read: full rings are overwritten and no longer hold the tick thread back.
        """

    def kill(self, up: bool = True) -> None:
        """Raise or lower the kill flag; it is read at every tick."""

    def drain(self, limit: int = 18446744073709551615) -> tuple[bytes, bytes, bytes]:
        """(ticks, quotes, FIX) as bytes: whole ticks recorded so far."""

    @property
    def done(self) -> bool: ...

    @property
    def engine_failed(self) -> bool:
        """The engine did not answer, and the loop ended there."""

    @property
    def ticks(self) -> int:
        """Valid when done."""

    @property
    def events(self) -> int:
        """Rows taken; valid when done."""

    @property
    def duration_ns(self) -> int:
        """First event to last byte; valid when done."""

    @property
    def surfaces_refused(self) -> int:
        """Valid when done."""

    @property
    def refusals(self) -> list[int]:
        """Valid when done."""

    @property
    def ring_waits(self) -> int:
        """How often a full ring held the tick thread back."""

    @property
    def involuntary_switches(self) -> int:
        """0 in a guarded loop, which cannot ask."""

    @property
    def counted(self) -> bool:
        """Whether the counting library is preloaded."""

    @property
    def allocations(self) -> int:
        """Allocations and releases of the tick thread."""

    @property
    def locks(self) -> int:
        """Lock operations of the tick thread."""

class DeskSteps:
    """A desk's steps on the caller's thread; see pyorch.trading.desk."""

    def __init__(self, settings: QuotingSettings, stream: FeatureStream, engine: TickEngine, events: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)]) -> None: ...

    def advance(self, until_ns: int, until_row: int = 18446744073709551615, stop: bool = True) -> None:
        """
        Take rows received before until_ns, numbered below until_row; with stop, up to the first message.
        """

    def take(self, inputs: Annotated[NDArray[numpy.int64], dict(shape=(None, 8), order='C', device='cpu', writable=False)]) -> None:
        """Take in rows of pyorch.trading.inputs.INPUT_DTYPE."""

    def kill(self, up: bool = True) -> None:
        """
        Raise or lower the kill flag, from any thread; it is read at every tick.
        """

    def drain(self) -> tuple[bytes, bytes, bytes]:
        """
        (ticks, quotes, FIX) as bytes: whole ticks recorded since the last call.
        """

    def check_order(self, option: int, side: int, price_ticks: int, lots: int, local_ns: int) -> int:
        """
        records.Refusal of an order beside the quotes, or the number of refusals: it may go out.
        """

    def abandon(self) -> None:
        """
        Nobody will read: full rings are overwritten and no longer hold the steps back.
        """

    def take_noted(self) -> bytes:
        """
        Rows of inputs.INPUT_DTYPE that the path found by itself: kill flag, full rings.
        """

    @property
    def row(self) -> int:
        """The next row of the market."""

    @property
    def done(self) -> bool: ...

    @property
    def engine_failed(self) -> bool: ...

    @property
    def ticks(self) -> int: ...

    def sequence(self, venue: int) -> int: ...

    @property
    def refusals(self) -> list[int]: ...

    @property
    def positions_lots(self) -> list[int]: ...

    @property
    def values_nano(self) -> list[int]:
        """Per option its value in 1e-9 BTC, of the last pricing."""

    @property
    def deltas_ppm(self) -> list[int]:
        """Per option, of the last pricing."""

    @property
    def open_lots(self) -> list[tuple[int, int]]:
        """Per option what could still be bought and sold."""

def count_control() -> tuple[int, int]:
    """
    Five allocations, releases and locks of a thread, as the preloaded library counts them (10, 5).
    """

def break_guard() -> None:
    """
    Make a system call where none is allowed: the process ends with SIGSYS. Shows that the guard works.
    """

def black76(log_moneyness: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ratio: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], volatility: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], years: float, forward: float, kernel: str = '') -> Annotated[NDArray[numpy.float64], dict(shape=(None, None))]:
    """The rows of pyorch.trading.black76.Chain, [rows, n]."""

def linear(log_moneyness: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ratio: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], volatility: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], years: float, forward: float, rate: float, put: bool, kernel: str = '') -> Annotated[NDArray[numpy.float64], dict(shape=(None, None))]:
    """The rows of pyorch.trading.black76.LinearOption, [rows, n]."""

def implied_volatility(value: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], log_moneyness: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ratio: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], years: float, put: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.float64], dict(shape=(None,))]:
    """Volatilities [n] of pyorch.trading.implied; NaN where there is none."""

def pricing_kernel() -> str:
    """The widest kernel that this processor runs."""

class Surface:
    """The definition is pyorch.trading.surface."""

    def __init__(self, parameters_ppm: Sequence[Sequence[int]], expiries_s: Sequence[int], as_of_ns: int = 0) -> None: ...

    def apply(self, atm_ppm: int, skew_ppm: int, local_ns: int, minutes: int) -> None:
        """Take in a SURFACE row."""

    def stale(self, local_ns: int, maximum_age_ns: int) -> bool: ...

    @property
    def atm_ppm(self) -> int: ...

    @property
    def skew_ppm(self) -> int: ...

    @property
    def version(self) -> int: ...

    @property
    def refused(self) -> int: ...

class Pricer:
    """
    Values and Greeks of a universe: the definition is pyorch.trading.pricing.
    """

    def __init__(self, settings: QuotingSettings, kernel: str = '') -> None: ...

    def price(self, surface: Surface, forward_half_ticks: int, minutes: int) -> None:
        """All options anew."""

    def values(self) -> Annotated[NDArray[numpy.float64], dict(shape=(None, None))]:
        """[options, fields of pyorch.trading.pricing.OptionValue]."""

def time_stages(settings: QuotingSettings, ticks: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], scores: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu', writable=False)], took: Annotated[NDArray[numpy.int64], dict(shape=(None, None), order='C', device='cpu')]) -> tuple[int, int]:
    """
    Policy, pricing with quoting and risk, and encoding, each over all ticks by itself: ns of each tick into took [3, n], less a clock reading; (quotes, bytes) that it made. Ticks [n, 6]: local_ns, forward in half-ticks, minutes, volatility and skew in 1e-6, price of the last trade (0: none).
    """
