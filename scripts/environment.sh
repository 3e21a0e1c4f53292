# Sourced by the scripts beside it: a virtual environment inside the checkout, with pinned packages.
# usage: prepare EXTRAS   (comma-separated extras of pyproject.toml; may be empty)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ENVIRONMENT="$PWD/.venv"
UV_VERSION=0.13.8
export PATH="$ENVIRONMENT/bin:$PATH" TF_CPP_MIN_LOG_LEVEL=3 TF_USE_LEGACY_KERAS=1

missing=()
command -v g++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
command -v perl >/dev/null || missing+=(perl)
PYTHON="$(command -v python3.11 || command -v python3 || true)"
if [ -z "$PYTHON" ] || ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    missing+=(python3.11 python3.11-venv python3.11-dev)
else
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3.11-venv)
    "$PYTHON" -c 'import sys, sysconfig, pathlib; sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' \
        || missing+=(python3.11-dev)
fi
if [ ${#missing[@]} -gt 0 ]; then
    echo "Missing on this machine; install it with:" >&2
    echo "    sudo apt-get install -y ${missing[*]}" >&2
    exit 3
fi

digest() { cat "$@" | sha256sum | cut -c1-16; }

prepare() {
    local extras="$1" packages native
    packages="$ENVIRONMENT/.packages-$(digest pyproject.toml locks/lock.txt scripts/environment.sh)-${extras//,/+}"
    native="$ENVIRONMENT/.native-$(digest pyproject.toml scripts/environment.sh $(find pyorch/native -type f | LC_ALL=C sort))"
    if [ ! -x "$ENVIRONMENT/bin/uv" ]; then
        echo "[1/3] virtual environment in .venv"
        "$PYTHON" -m venv "$ENVIRONMENT"
        "$ENVIRONMENT/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    fi
    if [ ! -f "$packages" ]; then
        echo "[2/3] pinned packages (extras: ${extras:-none})"
        "$ENVIRONMENT/bin/python" scripts/requirements.py "$extras" >"$ENVIRONMENT/requirements.txt"
        "$ENVIRONMENT/bin/uv" pip install --quiet --python "$ENVIRONMENT/bin/python" --constraint locks/lock.txt \
            scikit-build-core nanobind cmake ninja --requirements "$ENVIRONMENT/requirements.txt"
        touch "$packages"
    fi
    if [ ! -f "$native" ]; then
        echo "[3/3] native module (about a minute)"
        "$ENVIRONMENT/bin/uv" pip install --quiet --python "$ENVIRONMENT/bin/python" --no-build-isolation --no-deps --editable .
        touch "$native"
    fi
}
