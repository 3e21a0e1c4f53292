"""Why a quote was what it was, and the journal as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pyorch.app.desk_figures import HORIZONS_MS
from pyorch.app.journal import Journal
from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import UsageError
from pyorch.contract.model import PROBABILITY, ModelSpec
from pyorch.contract.schema import FeatureSchema
from pyorch.trading.inputs import InputKind
from pyorch.trading.log import read_log
from pyorch.trading.records import Reason, RecordArray, TickFlag

ONE = 1 << PROBABILITY.fraction
LOG = "run.log"
REPORTS = (
    InputKind.ACKNOWLEDGED,
    InputKind.REJECTED,
    InputKind.FILLED,
    InputKind.CANCELLED,
    InputKind.PROTECTION,
)
"""What a venue says about a message."""
FILLS = pa.schema(
    [
        *((name, pa.int64()) for name in ("local_ns", "option", "side", "lots", "queue_lots", "sequence")),
        ("by", pa.string()),
        *((name, pa.float64()) for name in ("price_btc", "edge_bp")),
        *((f"markout_{ms}_bp", pa.float64()) for ms in HORIZONS_MS),
    ]
)  # fmt: skip
"""Of the table of fills, also where there are none or a mark-out is never known."""


def explain_quote(journal: Journal, number: int) -> dict[str, Any]:
    """Everything that led to a quote, and what became of it.

    Raises:
        UsageError: there is no such quote.
    """
    if not 0 <= number < len(journal.quotes):
        raise UsageError(
            f"{journal.folder} has {len(journal.quotes):,} quotes, numbered from 0; there is no {number}"
        )
    quote = journal.quotes[number]
    starts = np.cumsum(journal.ticks["quotes"], dtype=np.int64)
    index = int(np.searchsorted(starts, number, side="right"))
    tick = journal.ticks[index]
    run = journal.run
    option = run.options[int(quote["option"])]
    schema, spec = FeatureSchema.from_json(run.schema), ModelSpec.from_json(run.model)
    tick_btc = float(run.config["quoting"]["option_tick_btc"])
    symbol = b"\x0155=" + option.symbol.encode() + b"\x01"
    message = next((m for m in journal.messages_of(index) if symbol in m), b"")
    fields = dict(f.split(b"=", 1) for f in reversed(message.split(b"\x01")) if b"=" in f)
    names = [f"{head.name}.{output}" for head in spec.heads for output in head.outputs]
    linear = {f"{h.name}.{o}" for h in spec.heads for o in h.outputs if h.kind == "linear"}
    base, extra = int(tick["base_half_spread_bp100"]), ("extra_down_bp100", "extra_up_bp100")
    found: dict[str, Any] = {
        "quote": {
            "number": number, "option": option.symbol, "reason": Reason(int(quote["reason"])).name,
            "bid_btc": round(int(quote["bid_ticks"]) * tick_btc, 8),
            "ask_btc": round(int(quote["ask_ticks"]) * tick_btc, 8),
            "bid_lots": int(quote["bid_lots"]), "ask_lots": int(quote["ask_lots"]),
        },
        "value": {name: float(quote[name]) for name in
                  ("value_btc", "volatility", "delta", "gamma", "vega", "theta")},
        "around it": {
            "base_half_spread_bp": base / 100,
            **{name.replace("_bp100", "_bp"): int(tick[name]) / 100 for name in
               (*extra, "forecast_bp100", "inventory_bp100")},
            "size_down_percent": int(tick["size_down_percent"]),
            "size_up_percent": int(tick["size_up_percent"]),
        },
        "rules": {
            rule.name: ("fired" if int(tick["fired"]) >> bit & 1 else
                        "acting" if int(tick["active"]) >> bit & 1 else
                        "armed" if rule.armed else f"disarmed: {rule.note}")
            for bit, rule in enumerate(run.rules)
        },
        "tick": {
            "tick": int(tick["tick"]), "row": int(tick["row"]), "local_ns": int(tick["local_ns"]),
            "sequence": int(tick["sequence"]),
            "forward_half_ticks": int(tick["forward_half_ticks"]),
            "atm_volatility": int(tick["atm_volatility_ppm"]) / 1e6, "surface": int(tick["surface"]),
            "flags": [flag.name for flag in TickFlag if int(tick["flags"]) & flag],
        },
        "scores": {
            name: int(tick["scores"][k]) if name in linear else round(int(tick["scores"][k]) / ONE, 5)
            for k, name in enumerate(names)
        },
        "logits": {name: int(tick["logits"][k]) for k, name in enumerate(names)},
        "features": {
            f.name: float(tick["features"][k] * schema.format.lsb)
            for k, f in enumerate(schema.features)
        },
        "message": {"sequence": int(fields.get(b"34", b"0")),
                    "target": fields.get(b"56", b"").decode(),
                    "fix": message.decode("ascii").replace("\x01", "|")},
        "digests": dict(run.digests),
    }  # fmt: skip
    if (journal.folder / LOG).is_file():
        found["afterwards"] = _afterwards(journal, int(quote["option"]), found["message"])
    return found


def _afterwards(journal: Journal, option: int, message: dict[str, Any]) -> list[dict[str, Any]]:
    """What the venue said about the message that carried the quote."""
    log = read_log(journal.folder / LOG)
    targets = [venue["name"] for venue in journal.run.facts["desk"]["venues"]]
    inputs = log.inputs
    venue = targets.index(message["target"])
    about = inputs[(inputs["venue"] == venue) & (inputs["sequence"] == message["sequence"])]
    rows = []
    for row in about:
        kind = InputKind(int(row["kind"]))
        own = kind is InputKind.FILLED and int(row["value"]) != 0  # of an order or a request
        if kind not in REPORTS or own:
            continue
        if kind in (InputKind.FILLED, InputKind.REJECTED) and int(row["option"]) != option:
            continue
        entry: dict[str, Any] = {"report": kind.name, "local_ns": int(row["local_ns"])}
        if kind is InputKind.FILLED:
            entry |= {"side": ("bid", "ask")[int(row["side"])], "lots": int(row["lots"])}
        rows.append(entry)
    return rows


def render(found: dict[str, Any]) -> str:
    """For reading: a section a line of thought, from the price back to the market."""
    lines = []
    for title, values in found.items():
        lines.append(title)
        pairs = values.items() if isinstance(values, dict) else enumerate(values, 1)
        lines += [f"    {name}: {value}" for name, value in pairs]
    return "\n".join(lines)


def export_parquet(journal: Journal, out: Path) -> list[tuple[Path, int]]:
    """Write the journal's tables; returns (file, rows)."""
    tables = {
        "ticks": _table(journal.ticks),
        "quotes": _table(journal.quotes),
        "options": pa.table(
            {
                "option": pa.array(range(len(journal.run.options)), pa.int64()),
                "symbol": pa.array([one.symbol for one in journal.run.options], pa.string()),
            }
        ),
        "messages": pa.table(
            {
                "tick_record": pa.array(
                    [k for k in np.flatnonzero(journal.ticks["fix_messages"]).tolist()
                     for _ in journal.messages_of(k)]
                ),
                "fix": pa.array(
                    [m for k in np.flatnonzero(journal.ticks["fix_messages"]).tolist()
                     for m in journal.messages_of(k)], pa.binary()
                ),
            }
        ),
    }  # fmt: skip
    if (journal.folder / LOG).is_file():
        log = read_log(journal.folder / LOG)
        tables["inputs"] = _table(log.inputs)
        tables["events"] = _table(log.events)
        tables["fills"] = pa.Table.from_pylist(journal.run.facts["desk"]["fills"], FILLS)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in tables.items():
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        path = out / f"{name}.parquet"
        write_atomically(path, sink.getvalue().to_pybytes())
        written.append((path, table.num_rows))
    return written


def _table(records: RecordArray) -> pa.Table:
    columns = {}
    for name in records.dtype.names or ():
        values = np.ascontiguousarray(records[name])
        if values.ndim == 2:
            flat = pa.array(values.reshape(-1))
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        else:
            columns[name] = pa.array(values)
    return pa.table(columns)
