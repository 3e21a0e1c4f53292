"""TensorFlow as training needs it: Keras 2, deterministic operations, a fixed number of threads."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from typing import Any

from pyorch.contract.errors import EnvironmentMissingError


@cache
def tensorflow() -> Any:
    """The `tensorflow` module, set up once a process.

    Sums must not depend on which thread finished first, or the same seed would give other weights;
    so operations are deterministic and none is split over threads. The matrices are small: threads
    inside an operation cost more than they bring.

    Raises:
        EnvironmentMissingError: the extra ``train`` is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    try:
        import tensorflow as tf
    except ImportError as error:
        raise EnvironmentMissingError(
            f"training needs TensorFlow ({error}); install with `pip install 'pyorch[train]'`"
        ) from error
    tf.get_logger().setLevel("ERROR")  # a model saved without its optimiser is what we want
    if tf.config.get_visible_devices("GPU"):
        tf.config.set_visible_devices([], "GPU")
    tf.config.experimental.enable_op_determinism()
    with suppress(RuntimeError):  # another part of this process has used TensorFlow before us
        tf.config.threading.set_intra_op_parallelism_threads(1)
    return tf


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow."""
    tensorflow().keras.utils.set_random_seed(seed)
