"""``pyorch bench fills``: the simulated exchange's fills beside hftbacktest's, on the same tape and orders.

hftbacktest has an environment of its own, which `scripts/check_fills` makes; it is fed with what others did
and with the prints, and gets our orders in the same places (`scripts/hftbacktest_fills.py`).
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console

from pyorch.contract.errors import EnvironmentMissingError
from pyorch.contract.figures import Figures
from pyorch.trading.exchange.random_flow import RandomFlow
from pyorch.trading.exchange.recording import Happened, Recording, RowArray, record

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".venv" / "hftbacktest" / "bin" / "python"
SCRIPT = ROOT / "scripts" / "hftbacktest_fills.py"
FLOW_STEPS = 40_000
FLOW_OPTIONS = 20


@dataclass(frozen=True, slots=True)
class Differences:
    """Two exchanges' fills of orders that rested; a fill is one order's part of one print.

    Attributes:
        ours: fills of ours; same: of them with the same lots at the same price there.
        moved: orders with another fill there, of which something ahead was withdrawn or cut: its queue
            model does not know by whom, and leaves the order behind.
        shared: orders with another fill there, with another one of ours at their price: there ours do not
            queue behind one another.
        unexplained: all other orders with another fill.
        lots, their_lots: filled in all.
    """

    ours: int
    same: int
    moved: int
    shared: int
    unexplained: int
    lots: int
    their_lots: int

    def to_figures(self) -> dict[str, float]:
        """Name → number."""
        return {
            "fills": float(self.ours),
            "same_fills": float(self.same),
            "orders_that_came_forward": float(self.moved),
            "orders_that_share_a_price": float(self.shared),
            "orders_unexplained": float(self.unexplained),
            "lots": float(self.lots),
            "hftbacktest_lots": float(self.their_lots),
        }


def their_fills(recordings: Sequence[RowArray]) -> list[RowArray]:
    """Per recording [m] row of it, order, lots and price in ticks, as hftbacktest fills.

    Raises:
        EnvironmentMissingError: its environment is not there, or it failed.
    """
    if not PEER.exists():
        raise EnvironmentMissingError(
            f"hftbacktest's environment is not in {PEER.parents[1]}; scripts/check_fills makes it"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files: list[Path] = []
        for number, recording in enumerate(recordings):
            files += [folder / f"recording-{number}.npy", folder / f"fills-{number}.npy"]
            np.save(files[-2], recording)
        done = subprocess.run(
            [str(PEER), str(SCRIPT), *map(str, files)], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise EnvironmentMissingError(
                f"hftbacktest ended with {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        return [np.load(path) for path in files[1::2]]


def differences(recording: RowArray, theirs: RowArray) -> Differences:
    """Compare fill by fill, and find each difference's reason in what happened to its order."""
    rows = np.flatnonzero(recording["ours"] > 0)
    mine = {
        (int(k), int(recording["order"][k])): (
            int(recording["ours"][k]), int(recording["price_ticks"][k])
        )
        for k in rows
    }  # fmt: skip
    others = {
        (int(one["row"]), int(one["order"])): (int(one["lots"]), int(one["price_ticks"]))
        for one in theirs
    }
    moved = set(recording["order"][recording["what"] == Happened.CAME_FORWARD].tolist())
    shared = set(recording["order"][recording["what"] == Happened.SHARES].tolist())
    different = {key[1] for key in mine.keys() | others.keys() if mine.get(key) != others.get(key)}
    return Differences(
        ours=len(mine),
        same=sum(others.get(key) == fill for key, fill in mine.items()),
        moved=len(different & moved - shared),
        shared=len(different & shared),
        unexplained=len(different - moved - shared),
        lots=sum(lots for lots, _ in mine.values()),
        their_lots=sum(lots for lots, _ in others.values()),
    )


def desk_recording(config: Path, seconds: float) -> RowArray:
    """A desk's run, as its venues saw it."""
    from pyorch.app.commands import progress
    from pyorch.app.desk_config import load_desk
    from pyorch.app.desk_run import run_desk
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle

    desk = load_desk(config)
    replace = msgspec.structs.replace
    desk = replace(desk, market=replace(desk.market, seconds=seconds))
    recordings: list[Recording] = []
    with tempfile.TemporaryDirectory() as folder, progress("a desk at work") as on_progress:
        run_desk(
            desk, config.parent, Bundle.load(shipped_bundle()), Path(folder) / "desk", on_progress,
            on_exchange=lambda exchange: recordings.append(record(exchange)),
        )  # fmt: skip
    return recordings[0].array()


@click.command("fills")
@click.option("--desk", type=click.Path(path_type=Path), help="Of a desk's run too (TOML).")
@click.option("--seconds", default=60.0, show_default=True, help="Of the desk's market.")
@click.option("--seed", default=1, show_default=True, help="Of the random flows.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def fills(desk: Path | None, seconds: float, seed: int, as_json: bool) -> None:
    """Fills of the simulated exchange and of hftbacktest, on the same tape, with the same orders."""
    cases = {
        "takers alone": RandomFlow(seed, FLOW_OPTIONS, 0.0, False),
        "orders beside quotes": RandomFlow(seed + 1, FLOW_OPTIONS, 0.0, True),
        "withdrawals from queues": RandomFlow(seed + 2, FLOW_OPTIONS, 0.3, False),
    }
    recordings = {name: flow.run(FLOW_STEPS).array() for name, flow in cases.items()}
    if desk is not None:
        recordings[str(desk)] = desk_recording(desk, seconds)
    with Console(stderr=True).status("hftbacktest"):
        theirs = their_fills(list(recordings.values()))
    pairs = zip(recordings.items(), theirs, strict=True)
    found = {name: differences(rows, filled) for (name, rows), filled in pairs}
    shown = Figures(
        "pyorch bench fills" + (f" --desk {desk}" if desk else ""),
        peers={name: one.to_figures() for name, one in found.items()},
        ok=all(one.unexplained == 0 and one.ours > 0 for one in found.values()),
    )
    shown.show(as_json)
