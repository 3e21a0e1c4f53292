"""Meet hftbacktest's exchange with a recorded one (`pyorch.trading.exchange.recording`), and write its fills.

usage, in an environment with hftbacktest alone: hftbacktest_fills.py RECORDING.npy FILLS.npy [and again ...]

Rows are numbered; row k happens at (k + 1) us. Others' depth and prints are the feed, our orders are sent
`ENTRY_NS` before their row and so arrive in it. Queue model: RiskAdverseQueueModel (an order's place moves
on with prints at its price, and where the level shows less than was ahead of it); PartialFillExchange.
Version 2.4.4 keeps an order that is filled in its book, and the next print there ends its run (error 14).
So every order is sent `SPARE` lots larger, and withdrawn as soon as its own lots are filled.
Output rows: recorded row, order, lots, price in ticks.
"""

import sys
from pathlib import Path

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

DEPTH, PRINT, PLACED, CUT, REMOVED = range(5)
ROW_NS, ENTRY_NS, SETTLED_NS = 1000, 100, 400
SPARE = 1000
FILL = np.dtype([("row", "i8"), ("order", "i8"), ("lots", "i8"), ("price_ticks", "i8")])


def feed(rows, numbers, last):
    """Depth and prints as hftbacktest's events; its clock runs from the first to the last: two of nothing."""
    events = np.zeros(len(rows), event_dtype)
    bid = rows["side"] == 0
    depth = rows["what"] == DEPTH
    # A depth row's side is the book's, a print's the taker's.
    side = np.where(bid == depth, BUY_EVENT, SELL_EVENT)
    kind = np.where(depth, DEPTH_EVENT, TRADE_EVENT)
    events["ev"] = kind.astype("u8") | side.astype("u8") | EXCH_EVENT | LOCAL_EVENT
    events["exch_ts"] = (numbers + 1) * ROW_NS
    events["local_ts"] = events["exch_ts"] + 1
    events["px"], events["qty"] = rows["price_ticks"], rows["lots"]
    ends = np.zeros(2, event_dtype)
    ends["ev"] = DEPTH_EVENT | BUY_EVENT | EXCH_EVENT | LOCAL_EVENT
    ends["exch_ts"] = ends["local_ts"] = [1, (last + 2) * ROW_NS]
    ends["px"] = 1
    return np.concatenate([ends[:1], events, ends[1:]])


@njit
def meet(hbt, rows, numbers, out):
    """Send our orders, and look at them after each print; how many fills there were, -1: it failed."""
    found = 0
    live = np.zeros(len(rows), np.int64)
    left = np.zeros(len(rows), np.int64)
    count = 0
    hbt.elapse(0)  # before it there is no time
    for at in range(len(rows)):
        row, when = rows[at], (numbers[at] + 1) * ROW_NS
        what = row["what"]
        if what == DEPTH:
            continue
        if what == PRINT:
            if hbt.elapse(when + SETTLED_NS - hbt.current_timestamp) != 0:
                return -1
            orders = hbt.orders(0)
            for k in range(count):
                order = orders.get(live[k])
                leaves = round(order.leaves_qty) - SPARE
                if leaves < left[k]:
                    out[found, 0], out[found, 1] = numbers[at], live[k]
                    out[found, 2], out[found, 3] = left[k] - leaves, order.exec_price_tick
                    found += 1
                    left[k] = leaves
                    if leaves <= 0:
                        hbt.cancel(0, live[k], False)
            k = 0
            while k < count:
                if left[k] <= 0:
                    count -= 1
                    live[k], left[k] = live[count], left[count]
                else:
                    k += 1
            continue
        if hbt.elapse(when - ENTRY_NS - hbt.current_timestamp) != 0:
            return -1
        number, lots, price = row["order"], row["lots"], row["price_ticks"]
        if what == PLACED:
            if row["side"] == 0:
                hbt.submit_buy_order(0, number, price, lots + SPARE, GTC, LIMIT, False)
            else:
                hbt.submit_sell_order(0, number, price, lots + SPARE, GTC, LIMIT, False)
            live[count], left[count] = number, lots
            count += 1
            continue
        for k in range(count):
            if live[k] == number:
                if what == CUT:
                    hbt.modify(0, number, price, lots + SPARE, False)
                    left[k] = lots
                else:
                    hbt.cancel(0, number, False)
                    live[k], left[k] = live[count - 1], left[count - 1]
                    count -= 1
                break
    return found


def main(recording, target):
    recorded = np.load(recording)
    fills = []
    for option in np.unique(recorded["option"]):
        numbers = np.flatnonzero((recorded["option"] == option) & (recorded["what"] <= REMOVED))
        rows = recorded[numbers]
        public = rows["what"] <= PRINT
        if not (rows["what"] == PLACED).any():
            continue
        events = feed(
            rows[public], numbers[public], numbers[-1]
        )  # hftbacktest keeps its address alone
        asset = (
            BacktestAsset()
            .data(events)
            .linear_asset(1.0)
            .constant_order_latency(ENTRY_NS, ENTRY_NS)
            .risk_adverse_queue_model()
            .partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(1.0)
            .lot_size(1.0)
        )
        hbt = HashMapMarketDepthBacktest([asset])
        out = np.zeros((4 * len(rows), 4), np.int64)
        count = meet(hbt, rows, numbers, out)
        if count < 0:
            sys.exit(f"option {option}: hftbacktest ended before its data did")
        hbt.close()
        fills += [tuple(one) for one in out[:count].tolist()]
    np.save(target, np.array(sorted(fills), FILL))


if __name__ == "__main__":
    for given, target in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        main(Path(given), Path(target))
