"""Every defect of the conversion packages that this project works around, in one place.

`hls4ml` returns the module set up; `WORKAROUNDS` is the list that `docs/conversion.md` shows. Versions:
hls4ml 1.3.0, qkeras 0.9.0, TensorFlow 2.20 with tf_keras 2.20.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pyorch.contract.errors import EnvironmentMissingError

HLS4ML_VERSION = "1.3.0"
"""The version whose defects are listed here; another one needs the list checked again."""


@dataclass(frozen=True, slots=True)
class Workaround:
    """One defect: where it is, what it would do to us, and what is done instead."""

    package: str
    defect: str
    consequence: str
    way: str
    """What we do, and in which module."""


WORKAROUNDS = (
    Workaround(
        "hls4ml 1.3.0",
        "`nnet::lstm` calls `dense<data_T, res_T>` for x and for h: the accumulator's and the state's "
        "type belong there (fastmachinelearning/hls4ml#1166)",
        "the C simulation does not compile unless input, accumulator and result types are equal",
        "own `nnet_recurrent.h`, registered with `register_source` on a backend of our own "
        "(`hls/csim/backend.py`); the shipped backends stay stock",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "`nnet::lstm` stores c in the type of h",
        "one format for both: c saturates or h is wide",
        "`cell_t` of its own in the header and in the configuration template (`hls/csim/backend.py`)",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "activation tables are computed at start-up with libm (`expf`, `tanhf`), at the bin's left edge, the "
        "index truncated towards zero",
        "entries depend on the C library; twice the largest error of a mid-bin table, and a pull to zero",
        "frozen integers of the bundle written into `parameters.h`, index rule stated there "
        "(`hls/csim/backend.py`)",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "QKeras quantizers of LSTM and GRU weights are not applied: floats are written and truncated",
        "a forget bias of 1.0 in <8,1> becomes -1.0",
        "weights are quantised first and put, exact, into plain layers (`hls/csim/project.py`); raw integers "
        "are read back from the compiled library",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "unknown configuration keys are ignored; `Precision.table` of its own generator is one of them",
        "a type silently keeps its default",
        "tables and cell types by the layer-level keys `TableT` and `CellT`; every type is read back from "
        "`defines.h` and `parameters.h` and compared (`hls/csim/readback.py`)",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "`hard_sigmoid` inside an LSTM does not compile, `quantized_tanh` and `quantized_sigmoid` assert",
        "hard activations cannot be converted",
        "`hard_activation` in our header, slope and shift as integers of the configuration",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "an LSTM with `use_bias=False` raises AttributeError in the Keras reader",
        "such models cannot be read",
        "a bias of zeros (`hls/convert/inspect.py`)",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "the recurrent bias, which Keras does not have, gets the model's default precision",
        "a type that no one chose",
        "its precision is set to the bias's (`hls/csim/project.py`)",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "softmax at its default precision is up to 0.085 off",
        "probabilities that no threshold can be compared with",
        "graphs end at the logits; heads follow in integers (`pyorch.inference.reference`)",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "`predict` passes float32",
        "integers above 24 bits would be rounded",
        "the library is called with raw 64-bit integers (`hls/csim/library.py`)",
    ),
    Workaround(
        "hls4ml 1.3.0",
        "`state_quantizer` of QLSTM becomes the accumulator's type",
        "dot products are rounded",
        "the layer is rebuilt without it; the difference to the Keras model is reported",
    ),
    Workaround(
        "qkeras 0.9.0 on TensorFlow ≥ 2.16",
        "both packages speak Keras 2, `import keras` gives Keras 3",
        "hls4ml takes its Keras 3 reader, qkeras fails",
        "`TF_USE_LEGACY_KERAS=1`, and `keras` is tf_keras before hls4ml is imported "
        "(`hls/csim/workarounds.py`)",
    ),
)


@cache
def keras() -> Any:
    """tf_keras, with QKeras and hls4ml looking at it (import this before either).

    Raises:
        EnvironmentMissingError: the extra ``train`` is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    try:
        import tf_keras
    except ImportError as error:
        raise EnvironmentMissingError(
            f"conversion needs TensorFlow and tf_keras ({error}); install with `pip install 'pyorch[train]'`"
        ) from error
    return tf_keras


@cache
def hls4ml() -> Any:
    """The hls4ml module, set up.

    Raises:
        EnvironmentMissingError: hls4ml is missing, or is not the version that `WORKAROUNDS` is about.
    """
    sys.modules["keras"] = keras()
    try:
        with quiet():
            import hls4ml as module
    except ImportError as error:
        raise EnvironmentMissingError(
            f"conversion needs hls4ml ({error}); install with `pip install 'pyorch[train]'`"
        ) from error
    if module.__version__ != HLS4ML_VERSION:
        raise EnvironmentMissingError(
            f"hls4ml is {module.__version__}; its header and its defects are known for {HLS4ML_VERSION}: "
            f"install hls4ml=={HLS4ML_VERSION}"
        )
    return module


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """hls4ml prints its progress and warns about defaults: neither is for the user."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
