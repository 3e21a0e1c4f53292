"""The compiled stream against the reference, as a process of its own: ``compare PROJECT BUNDLE``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from hls.vitis.compiled import CompiledStream
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import canonical_json
from pyorch.contract.errors import PyorchError
from pyorch.inference.complete import random_features
from pyorch.inference.reference import run_windows


def compare(project: Path, bundle: Bundle, windows: int, seed: int = 1) -> dict[str, int]:
    """Windows of seeded features, and the bundle's golden ones, through the stream: integers that differ."""
    drawn = random_features(np.random.default_rng(seed), bundle.spec, (windows, bundle.spec.window))
    golden = bundle.golden.get("window_features", drawn[:0])
    features = np.concatenate([drawn, golden])
    stream = CompiledStream(project, bundle)
    answers = np.stack([stream.run(window) for window in features])
    wrong = answers != run_windows(bundle, features)[0]
    return {
        "stream_compared": int(wrong.size),
        "stream_mismatches": int(wrong.sum()),
        "stream_steps": len(features) * bundle.spec.window,
    }


def main() -> None:
    """Print the figures as JSON; exit status 1 if anything differs."""
    try:
        found = compare(Path(sys.argv[1]), Bundle.load(Path(sys.argv[2])), int(sys.argv[3]))
    except PyorchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    sys.stdout.write(canonical_json({"figures": found}).decode() + "\n")
    if found["stream_mismatches"]:
        print(
            f"Error: {found['stream_mismatches']} of {found['stream_compared']} logits of hls4ml's C++ are "
            "not the reference's",
            file=sys.stderr,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
