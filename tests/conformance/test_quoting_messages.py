"""The quoting path's messages, read by an independent decoder."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import simplefix

from pyorch import _native
from pyorch.contract.events import event_words
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.inputs import InputKind, make_input
from pyorch.trading.native import batch_of, input_words, native_settings
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.records import JournalBatch, TickFlag
from pyorch.trading.sample import random_quoting_bundle


@pytest.fixture(scope="module")
def journal() -> tuple[JournalBatch, QuotingPlan]:
    """Eight seconds of a market, paused twice."""
    tape = insert_timer_ticks(simulate(5, 8.0))
    bundle = random_quoting_bundle(5, tape)
    plan = make_plan(load_config(), bundle, tape)
    assert bundle.schema is not None
    engine = _native.LstmTickEngine(native_engine(bundle, "auto"))
    steps = _native.DeskSteps(
        native_settings(plan), open_stream(bundle.schema), engine, event_words(tape.events)
    )
    parts = []
    for row, kind in zip(
        np.linspace(0, len(tape.events), 6).astype(int).tolist()[1:],
        (InputKind.PAUSE, InputKind.RESUME, InputKind.PAUSE, InputKind.RESUME, InputKind.PAUSE),
        strict=True,
    ):
        while steps.row < row:
            steps.advance(1 << 62, min(row, steps.row + 500), False)
            parts.append(batch_of(*steps.drain()))
        steps.take(input_words(make_input(kind, int(tape.events["local_ns"][row - 1]), row=row)))
        parts.append(batch_of(*steps.drain()))
    return JournalBatch.join(parts), plan


def decoded(stream: bytes) -> Iterator[Any]:
    """Messages as simplefix cuts them from the stream, given to it in pieces."""
    parser = simplefix.FixParser()
    for start in range(0, len(stream), 4096):
        parser.append_buffer(stream[start : start + 4096])
        while (message := parser.get_message()) is not None:
            yield message


def test_an_independent_decoder_reads_every_message(
    journal: tuple[JournalBatch, QuotingPlan],
) -> None:
    batch, plan = journal
    entries = cancels = messages = 0
    for message in decoded(batch.fix):
        messages += 1
        assert message.get(34) == str(messages).encode()
        assert (message.get(8), message.get(49), message.get(56)) == (
            b"FIX.4.4",
            b"PYORCH",
            b"VENUE",
        )
        # Encoding the decoded fields anew computes BodyLength and CheckSum independently.
        assert message.get(10) == message.encode()[-4:-1]
        assert b"9=" + message.get(9) + b"\x01" in message.encode()
        if message.get(35) == b"Z":
            cancels += 1
            assert message.get(298) == b"4"
            continue
        assert message.get(35) == b"i"
        count = int(message.get(295))
        assert 1 <= count <= 16
        fields = defaultdict(list)
        for tag, value in message.pairs:
            fields[int(tag)].append(value)
        assert len(fields[55]) == count
        for k in range(count):
            quote = batch.quotes[entries]
            entries += 1
            assert int(fields[299][k]) == quote["option"]
            symbol = plan.universe.options[quote["option"]].symbol
            assert fields[55][k] == symbol.encode()
            assert float(fields[132][k]) == pytest.approx(quote["bid_ticks"] * 1e-4, abs=1e-9)
            assert float(fields[133][k]) == pytest.approx(quote["ask_ticks"] * 1e-4, abs=1e-9)
            assert float(fields[134][k]) == pytest.approx(quote["bid_lots"] * 0.1, abs=1e-9)
            assert float(fields[135][k]) == pytest.approx(quote["ask_lots"] * 0.1, abs=1e-9)
    assert entries == len(batch.quotes) > 100 and cancels > 2
    assert cancels == np.count_nonzero(batch.ticks["flags"] & TickFlag.CANCELLED)
    assert messages == batch.ticks["fix_messages"].sum()
