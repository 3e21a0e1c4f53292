"""How often calibrated scores reach a value: what a bundle says about its calibration block.

``provenance["score_quantiles"]`` of a bundle holds, per output in the order of ``outputs``, the smallest
threshold that at most a stated share of the block's ticks reaches. A rule that may fire at N % of ticks
takes its threshold from there: literal ones such as 0.70 may never be reached by a rare event.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyorch.contract.fixed import IntArray

SHARES_PERCENT = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def threshold_at(scores: IntArray, percent: float) -> int:
    """The smallest integer that at most ``percent`` % of ``scores`` [n] reach."""
    ordered = np.sort(np.asarray(scores, dtype=np.int64))[::-1]
    allowed = int(len(ordered) * percent / 100.0 + 1e-9)
    if allowed >= len(ordered):
        return int(ordered[-1]) if len(ordered) else 0
    return int(ordered[allowed]) + 1


def score_quantiles(block: str, outputs: tuple[str, ...], scores: IntArray) -> dict[str, Any]:
    """The JSON object for ``provenance["score_quantiles"]``.

    Args:
        block: what the scores are of, for the reader.
        outputs: names in the order of ``spec.outputs``.
        scores: [n, O], calibrated, of consecutive ticks.
    """
    return {
        "block": block,
        "ticks": len(scores),
        "shares_percent": list(SHARES_PERCENT),
        "outputs": list(outputs),
        "thresholds": [
            [threshold_at(scores[:, k], share) for share in SHARES_PERCENT]
            for k in range(len(outputs))
        ],
    }
