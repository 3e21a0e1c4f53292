"""The compiled kernel: found or built with nvcc, loaded, its errors made exceptions."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.errors import BuildError, DeviceError, EnvironmentMissingError

SOURCES = ("persistent.cu", "persistent.cuh", "cell.cuh")
ARCHITECTURE = "sm_90a"
"""Default architecture: Hopper. ``PYORCH_CUDA_ARCHITECTURE`` names another (9.0 or later for clusters)."""

_TIMED_OUT = 2


def cuda_folder() -> Path:
    """The CUDA toolkit: ``CUDA_HOME``, the package nvidia-cuda-nvcc, or the one that ``nvcc`` on the
    PATH belongs to.

    Raises:
        EnvironmentMissingError: there is none.
    """
    places = [Path(os.environ["CUDA_HOME"])] if "CUDA_HOME" in os.environ else []
    package = importlib.util.find_spec("nvidia")
    for root in package.submodule_search_locations or [] if package is not None else []:
        places += sorted(Path(root).glob("cu[0-9]*"), reverse=True)
    if (found := shutil.which("nvcc")) is not None:
        places.append(Path(found).resolve().parents[1])
    for place in places:
        if (place / "bin" / "nvcc").is_file():
            return place
    raise EnvironmentMissingError(
        "no nvcc: install the extra `cuda`, or set CUDA_HOME to a CUDA toolkit of 12.4 or later"
    )


def compile_kernel(target: Path, architecture: str | None = None) -> str:
    """Compile the kernel into the shared library ``target``; returns what the assembler says of
    registers and spills.

    Raises:
        EnvironmentMissingError: no nvcc, or no C++ compiler for it.
        BuildError: it does not compile; the message has the compiler's words.
    """
    cuda = cuda_folder()
    architecture = architecture or os.environ.get("PYORCH_CUDA_ARCHITECTURE", ARCHITECTURE)
    source = Path(__file__).parent / SOURCES[0]
    command = [
        str(cuda / "bin" / "nvcc"), "-std=c++20", f"-arch={architecture}", "-O3", "-shared",
        "-Xcompiler", "-fPIC,-Wall,-Wextra", "--ptxas-options=-v", "-cudart", "static",
        "-I", str(cuda / "include"), "-L", str(cuda / "lib"), "-L", str(cuda / "lib64"),
    ]  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        partial = Path(folder) / target.name
        done = subprocess.run(
            [*command, "-o", str(partial), str(source)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "error" in line]
            raise BuildError(
                f"nvcc {architecture}: " + "; ".join(lines[:3] or [done.stderr[-300:]])
            )
        partial.replace(target)
    return done.stderr


def kernel_path(architecture: str | None = None) -> Path:
    """The compiled library, from the cache or built.

    Raises:
        EnvironmentMissingError, BuildError: as `compile_kernel`.
    """
    architecture = architecture or os.environ.get("PYORCH_CUDA_ARCHITECTURE", ARCHITECTURE)
    base = os.environ.get("PYORCH_CACHE") or str(Path.home() / ".cache" / "pyorch")
    sources = [digest_of_file(Path(__file__).parent / name) for name in SOURCES]
    key = digest_of([architecture, *sources])[:32]
    path = Path(base) / "cuda" / f"{key}.so"
    if not path.is_file():
        compile_kernel(path, architecture)
    return path


class Kernel:
    """The library's functions."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.persistent_error.restype = ctypes.c_char_p

    @classmethod
    def load(cls) -> Kernel:
        """The library, and a GPU behind it.

        Raises:
            EnvironmentMissingError: no nvcc, or no GPU.
            BuildError: the kernel does not compile.
        """
        if not Path("/dev/nvidiactl").exists() and not Path("/dev/dxg").exists():
            raise EnvironmentMissingError(
                "no NVIDIA GPU on this machine; the engine `cuda` needs one"
            )
        kernel = cls(ctypes.CDLL(str(kernel_path())))
        try:
            kernel.device()
        except DeviceError as error:
            raise EnvironmentMissingError(f"{error}; the engine `cuda` needs a GPU") from error
        return kernel

    def call(self, name: str, *arguments: object) -> None:
        """One function.

        Raises:
            DeviceError: it failed, or no answer came in time.
        """
        status = getattr(self._library, f"persistent_{name}")(*arguments)
        if status == _TIMED_OUT:
            raise DeviceError(
                f"the GPU did not answer `{name}` in time; close the engine and open it again"
            )
        if status != 0:
            reason = self._library.persistent_error()
            raise DeviceError(f"{name}: {reason.decode(errors='replace')}")

    def delete(self, model: ctypes.c_void_p) -> None:
        """Stop a model's kernel and free what it holds."""
        self._library.persistent_delete(model)

    def device(self) -> tuple[str, int]:
        """The GPU's name and compute capability (90: 9.0).

        Raises:
            DeviceError: there is none.
        """
        name, capability = ctypes.create_string_buffer(256), ctypes.c_int()
        self.call("device", name, ctypes.byref(capability))
        return name.value.decode(), capability.value
