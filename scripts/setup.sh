#!/usr/bin/env bash
# Makes what is missing to build and run air: system packages, a virtual environment, the build. Safe to run again.
#   scripts/setup.sh           what the demo needs: build/release/air and .venv
#   scripts/setup.sh --test    what the tests need too: the test programs, transformers
# Settings: LibTorch_ROOT=DIR            use this libtorch (a .../site-packages/torch or an unpacked libtorch zip)
#           AIR_SKIP_PACKAGES=1          do not look at system packages
# An activated virtual or conda environment whose torch is new enough is used in place of a torch in .venv.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGES=(
  g++ cmake ninja-build ccache pkg-config git nlohmann-json3-dev libcli11-dev libspdlog-dev libfmt-dev rapidjson-dev
  libpcre2-dev libicu-dev libhwy-dev libxxhash-dev zlib1g-dev libzstd-dev libsentencepiece-dev
  libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev jq
)
OLDEST_TORCH=2.7

say() { printf 'setup: %s\n' "$*" >&2; }
die() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

with_tests=0
for argument in "$@"; do
  case "$argument" in
    --test) with_tests=1 ;;
    -h|--help) sed -n '2,8s/^# \?//p' "$0"; exit 0 ;;
    *) die "unknown argument $argument (known: --test)" ;;
  esac
done

# ---- system packages -------------------------------------------------------------------------------------------------

list_by_hand() {
  cat >&2 <<TEXT
setup: this system has no apt-get. Install by hand, under whatever names your system gives them:
  a C++20 compiler (g++ 12 or newer), CMake 3.25 or newer, Ninja, pkg-config, git, jq, Python 3.11 or newer with venv; ccache if you like
  nlohmann-json 3.11, CLI11 2.1, spdlog 1.10 with fmt, RapidJSON, PCRE2 (8 bit), ICU 70, Highway, xxHash, zlib, zstd, SentencePiece
  for the tests: GoogleTest and GoogleMock 1.12, RapidCheck, Google Benchmark
then run this script again with AIR_SKIP_PACKAGES=1.
TEXT
  exit 1
}

install_packages() {
  [ "${AIR_SKIP_PACKAGES:-0}" = 1 ] && return
  command -v apt-get > /dev/null && command -v dpkg-query > /dev/null || list_by_hand
  local wanted=("${PACKAGES[@]}") installed missing=() package
  python3 -c 'import ensurepip, venv' 2> /dev/null || wanted+=(python3-venv)
  installed=" $(dpkg-query -W -f='${db:Status-Status}:${Package}\n' "${wanted[@]}" 2> /dev/null \
    | sed -n 's/^installed://p' | tr '\n' ' ') "
  for package in "${wanted[@]}"; do
    [[ $installed == *" $package "* ]] || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  apt_install "${missing[@]}" || die "these could not be installed: apt-get install ${missing[*]} (as root)"
}

apt_install() {
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || return 1
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -q >&2 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >&2
}

# For the test that opens a report. Not every system has the package: without a browser that test skips itself.
install_browser() {
  [ "${AIR_SKIP_PACKAGES:-0}" = 1 ] && return
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" > /dev/null; then return; fi
  done
  say "installing chromium"
  apt_install chromium || say "no chromium: the test report.browser will be skipped"
}

# ---- libtorch and the virtual environment ----------------------------------------------------------------------------

# The Python of the active environment, when its torch is new enough to build against.
active_torch_python() {
  local root python
  for root in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
    python="$root/bin/python"
    [ -n "$root" ] && [ "$root" != "$PWD/.venv" ] && [ -x "$python" ] || continue
    if "$python" - "$OLDEST_TORCH" 2> /dev/null <<'PY'
import sys
from importlib.metadata import version
parts = lambda text: [int(part) for part in text.split("+")[0].split(".")[:2]]
sys.exit(parts(version("torch")) < parts(sys.argv[1]))
PY
    then
      echo "$python"
      return
    fi
    say "the active environment $root has no torch >= $OLDEST_TORCH: using .venv"
  done
}

# Installs a requirements file into .venv, once for each state of that file.
pip_install() {
  local file=$1 stamp=.venv/installed-$1 options=("${@:2}")
  cmp -s "$file" "$stamp" && return
  say "installing $(grep -v '^#' "$file" | tr '\n' ' ')into .venv"
  .venv/bin/python -m pip install --disable-pip-version-check "${options[@]}" -r "$file" >&2
  cp "$file" "$stamp"
}

# Makes .venv and sets LIBTORCH to the CMake setting that says where libtorch is.
prepare_python() {
  if [ ! -x .venv/bin/pip ]; then  # pip comes last: without it the making was cut off
    say "making the virtual environment .venv"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "python3 is older than 3.11"
    python3 -m venv .venv
  fi
  local python
  python=$(active_torch_python)
  if [ -n "${LibTorch_ROOT:-}" ]; then
    LIBTORCH="LibTorch_ROOT=$LibTorch_ROOT"
  elif [ -n "$python" ]; then
    LIBTORCH="LibTorch_PYTHON=$python"
  else
    LIBTORCH="LibTorch_PYTHON=$PWD/.venv/bin/python"
    pip_install requirements.txt
  fi
  pip_install requirements-demo.txt
  if [ $with_tests = 1 ]; then
    pip_install requirements.txt
    pip_install requirements-test.txt
    pip_install requirements-trainers.txt
    pip_install requirements-loaders.txt --no-deps
  fi
}

# ---- the build -------------------------------------------------------------------------------------------------------

build() {
  local stamp=build/release/configured-with target=()
  if [ ! -f build/release/build.ninja ] || [ "$(cat $stamp 2> /dev/null)" != "$LIBTORCH" ]; then
    say "configuring build/release with $LIBTORCH"
    cmake --preset release -D "$LIBTORCH" >&2
    printf '%s\n' "$LIBTORCH" > $stamp
  fi
  [ $with_tests = 1 ] || target=(--target air)
  cmake --build --preset release "${target[@]}" >&2
}

install_packages
[ $with_tests = 0 ] || install_browser
prepare_python
build
