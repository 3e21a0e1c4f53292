"""The stream compiled by g++, to be compared with the reference.

The compiled program reads the weights from hls4ml's text files: as constants, which is how synthesis gets
them, g++ takes minutes over them. That both hold the same numbers is checked here.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from hls.csim.library import FLAGS
from hls.csim.project import PROJECT
from hls.vitis.stream import TOP
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, EnvironmentMissingError, MismatchError
from pyorch.contract.fabric import input_lane, output_lane, pack_lanes, unpack_lanes
from pyorch.contract.fixed import IntArray

INCLUDE = Path(__file__).with_name("include")
_DRIVER = """#define WEIGHTS_DIR "{weights}"
#include "firmware/{project}.cpp"
#include "firmware/{top}.cpp"
extern "C" long run(long beats_in, const unsigned long long *in, long room, unsigned long long *out) {{
    hls::stream<beat_t> source, sink;
    for (long k = 0; k < beats_in; k++) {{
        beat_t beat;
        beat.data = in[k];
        source.write(beat);
    }}
    {top}(source, sink);
    long count = 0;
    while (!sink.empty()) {{
        const beat_t beat = sink.read();
        if (count == room || beat.last != (count == room - 1) || beat.keep != 0xff)
            return -1;
        out[count++] = beat.data.to_uint64();
    }}
    return source.empty() ? count : -2;
}}
"""


def check_constants(folder: Path) -> int:
    """Compare the constants of synthesis with hls4ml's text files; returns how many there are.

    Raises:
        MismatchError: a number differs, or a file is missing.
    """
    count = 0
    for header in sorted(folder.glob("*.h")):
        table = re.search(r"=\s*\{([^}]*)\}", header.read_text())
        text = header.with_suffix(".txt")
        constants = [float(word) for word in table[1].split(",")] if table else []
        read = [float(w) for w in text.read_text().split(",")] if text.is_file() else []
        if not constants or constants != read:
            wrong = sum(a != b for a, b in zip(constants, read, strict=False))
            raise MismatchError(
                f"{header}: {len(constants)} constants, {len(read)} numbers in {text.name}, {wrong} of them "
                "differ; emit the project again"
            )
        count += len(constants)
    return count


class CompiledStream:
    """The stream of a project as a library.

    Raises:
        BuildError: g++ refuses the sources.
        EnvironmentMissingError: no g++.
    """

    def __init__(self, project: Path, bundle: Bundle) -> None:
        from hls.csim.workarounds import hls4ml

        self.bundle = bundle
        check_constants(project / "firmware" / "weights")
        types = Path(hls4ml().__file__).parent / "templates" / "vivado" / "ap_types"
        compiler = shutil.which("g++")
        if compiler is None:
            raise EnvironmentMissingError("no g++: the C++ cannot be simulated; install a compiler")
        with tempfile.TemporaryDirectory() as temporary:
            driver, library = Path(temporary) / "driver.cpp", Path(temporary) / "stream.so"
            driver.write_text(
                _DRIVER.format(
                    weights=project.resolve() / "firmware" / "weights", project=PROJECT, top=TOP
                )
            )
            flags = [flag for flag in FLAGS if not flag.startswith("-I")]
            command = [
                compiler, *flags, f"-I{project.resolve()}", f"-I{project.resolve()}/firmware",
                f"-I{types}", f"-I{INCLUDE}", "-o", str(library), str(driver),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BuildError(f"g++ refuses {TOP}:\n{done.stderr[:2000]}")
            self._library = ctypes.CDLL(str(library))
        self._library.run.restype = ctypes.c_long

    def run(self, window: IntArray) -> IntArray:
        """Logits [O] of a window [T, F] of raw integers, by way of beats.

        Raises:
            MismatchError: too many or too few beats, or TLAST at the wrong one.
        """
        spec = self.bundle.spec
        lane = output_lane(spec.logits)
        sent = np.ascontiguousarray(pack_lanes(window, input_lane(spec.input)).reshape(-1))
        got = np.zeros(-(-len(spec.outputs) * lane // 64), dtype=np.uint64)
        pointer = ctypes.POINTER(ctypes.c_ulonglong)
        count = self._library.run(
            ctypes.c_long(len(sent)), sent.ctypes.data_as(pointer),
            ctypes.c_long(len(got)), got.ctypes.data_as(pointer),
        )  # fmt: skip
        if count != len(got):
            raise MismatchError(
                f"{TOP}: {count} beats for a window of {len(sent)}, expected {len(got)}"
            )
        logits: IntArray = unpack_lanes(got[None], lane, len(spec.outputs))[0]
        return logits
