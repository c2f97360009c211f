#!/usr/bin/env bash
# Makes what is missing to build and run air: system packages, a virtual environment, the build.
# Safe to run again.
#   scripts/setup.sh            what the demo needs: build/release/air and .venv
#   scripts/setup.sh --test     what the tests need too: the test programs, transformers, a browser
#   scripts/setup.sh --check    what scripts/check.sh needs on top of that: clang-format
#   scripts/setup.sh --engines  what the tests of Slurm, Ray and datatrove need on top of --test
#   scripts/setup.sh --fuzz     what the preset fuzz needs; builds nothing
#   scripts/setup.sh --wheel    what scripts/make_wheel.sh needs; builds nothing
# Settings: LibTorch_ROOT=DIR       use this libtorch (.../site-packages/torch or an unpacked
#                                   libtorch zip)
#           AIR_TORCH_INDEX=URL     look for torch in this package index too
#           AIR_SKIP_PACKAGES=1     do not look at system packages
#           AIR_WERROR=ON           compile with warnings as errors
# An activated virtual or conda environment whose torch is new enough is used in place of a torch in
# .venv.
cd "$(dirname "$0")/.." && source scripts/common.sh

BUILD_PACKAGES=(
  g++ cmake ninja-build ccache pkg-config git nlohmann-json3-dev libcli11-dev libtomlplusplus-dev libspdlog-dev
  libfmt-dev rapidjson-dev libpcre2-dev libicu-dev libhwy-dev libxxhash-dev zlib1g-dev libzstd-dev
  libbz2-dev liblzma-dev libsentencepiece-dev
)
TEST_PACKAGES=(libgtest-dev libgmock-dev librapidcheck-dev jq strace zsh fish)
CHECK_PACKAGES=(clang-format)
ENGINE_PACKAGES=(slurm-wlm munge parallel)
FUZZ_PACKAGES=(clang-14 libfuzzer-14-dev)
WHEEL_PACKAGES=(icu-devtools)
OLDEST_TORCH=2.9

with_tests=0
with_checks=0
with_engines=0
for_fuzz=0
for_wheel=0
for argument in "$@"; do
  case "$argument" in
    --test) with_tests=1 ;;
    --check) with_tests=1 with_checks=1 ;;
    --engines) with_tests=1 with_engines=1 ;;
    --fuzz) for_fuzz=1 ;;
    --wheel) for_wheel=1 ;;
    -h | --help) print_help; exit 0 ;;
    *) die "unknown argument $argument (known: --test, --check, --engines, --fuzz, --wheel, --help)" ;;
  esac
done

# ---- system packages -----------------------------------------------------------------------------

list_by_hand() {
  cat >&2 <<TEXT
setup: this system has no apt-get. Install by hand, under whatever names your system gives them:
  a C++20 compiler (g++ 12 or newer), CMake 3.25 or newer, Ninja, pkg-config, git, Python 3.11 or
  newer with venv; ccache if you like
  nlohmann-json 3.11, CLI11 2.1, spdlog 1.10, fmt 9, RapidJSON, PCRE2 (8 bit), ICU 70, Highway,
  xxHash, zlib, zstd, bzip2, xz, SentencePiece
  for the tests: GoogleTest and GoogleMock 1.12, RapidCheck, jq, strace, zsh, fish
then run this script again with AIR_SKIP_PACKAGES=1.
TEXT
  exit 1
}

# Not every system has the package: without a browser the test that opens a report skips itself.
has_browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" > /dev/null; then return 0; fi
  done
  return 1
}

# The packages of PACKAGE... that are not installed. dpkg-query fails for names that it has never
# seen, and says nothing of them on its standard output: to us they are simply not installed.
missing_of() {
  local installed package
  installed=" $({ dpkg-query -W -f='${db:Status-Status}:${Package}\n' "$@" 2> /dev/null || true; } |
    sed -n 's/^installed://p' | tr '\n' ' ') "
  for package in "$@"; do
    [[ $installed == *" $package "* ]] || echo "$package"
  done
}

install_packages() {
  [ "${AIR_SKIP_PACKAGES:-0}" != 1 ] || return 0
  command -v apt-get > /dev/null && command -v dpkg-query > /dev/null || list_by_hand
  local wanted=("${BUILD_PACKAGES[@]}") missing=()
  [ $with_tests = 0 ] || wanted+=("${TEST_PACKAGES[@]}")
  [ $with_engines = 0 ] || wanted+=("${ENGINE_PACKAGES[@]}")
  [ $for_fuzz = 0 ] || wanted+=("${FUZZ_PACKAGES[@]}")
  [ $for_wheel = 0 ] || wanted+=("${WHEEL_PACKAGES[@]}")
  [ $with_checks = 0 ] || wanted+=("${CHECK_PACKAGES[@]}")
  python3 -c 'import ensurepip, venv' 2> /dev/null || wanted+=(python3-venv)
  mapfile -t missing < <(missing_of "${wanted[@]}")
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
  [ $with_tests = 0 ] || has_browser || { can_install && (apt_install chromium); } ||
    say "no browser: the test report.browser will be skipped"
}

can_install() { [ "$(id -u)" = 0 ] || command -v sudo > /dev/null; }

apt_install() {
  local as_root=() by_hand="as root: apt-get install --no-install-recommends $*
hint: packages that you have in another way (conda, modules): AIR_SKIP_PACKAGES=1 leaves this step out
hint: to use air without building it, install its wheel (README.md, Installing): no root, no compiler"
  if [ "$(id -u)" != 0 ]; then
    can_install ||
      die "Debian packages are missing ($#), and there is neither root nor sudo to install them.
$by_hand"
    as_root=(sudo)
  fi
  say "installing $# Debian packages: $*"
  { "${as_root[@]}" apt-get update -q >&2 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends "$@" >&2; } ||
    die "apt-get could not install these packages (its message is above).
$by_hand"
}

# ---- libtorch and the virtual environment --------------------------------------------------------

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

# once_for FILE NAME COMMAND...: runs the command unless it has run with FILE as it is.
once_for() {
  local file=$1 stamp=.venv/installed-$2
  cmp -s "$file" "$stamp" && return
  "${@:3}"
  cp "$file" "$stamp"
}

# Installs a requirements file into .venv, once for each state of that file.
pip_install() {
  once_for "$1" "$1" pip_install_now "$@"
}

pip_install_now() {
  say "installing $(grep -v '^#' "$1" | tr '\n' ' ')into .venv"
  # torch may lack libraries that it asks for and air does not need: see install_torch.py.
  .venv/bin/python -m pip install --disable-pip-version-check --no-warn-conflicts -q \
    "${@:2}" -r "$1" >&2
}

# torch into .venv; --importable: with all that Python's `import torch` loads.
install_torch() {
  if cmp -s requirements.txt .venv/installed-torch--importable; then return; fi
  once_for requirements.txt "torch${1:-}" .venv/bin/python scripts/install_torch.py "$@"
}

# Makes .venv and sets LIBTORCH to the CMake setting that says where libtorch is, PYARROW to the
# folder of pyarrow.
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
    [ $with_tests = 1 ] || install_torch
  fi
  pip_install requirements-demo.txt
  pip_install requirements-parquet.txt
  PYARROW=$(.venv/bin/python -c 'import importlib.util as u; print(u.find_spec("pyarrow").submodule_search_locations[0])')
  if [ $with_tests = 1 ]; then
    install_torch --importable
    pip_install requirements-test.txt
    pip_install requirements-trainers.txt
    pip_install requirements-study.txt
    pip_install requirements-loaders.txt --no-deps
    [ $with_engines = 0 ] || pip_install requirements-engines.txt
  fi
}

# ---- the build -----------------------------------------------------------------------------------

build() {
  local stamp=build/release/configured-with target=() settings
  settings="$LIBTORCH
AIR_PARQUET=ON
PyArrow_ROOT=$PYARROW
AIR_WERROR=${AIR_WERROR:-OFF}
AIR_TESTS=$([ $with_tests = 1 ] && echo ON || echo OFF)"
  if [ ! -f build/release/build.ninja ] || [ "$(cat $stamp 2> /dev/null)" != "$settings" ]; then
    local options=()
    mapfile -t options <<< "$settings"
    say "configuring build/release with ${options[*]}"
    cmake --preset release "${options[@]/#/-D}" >&2
    printf '%s\n' "$settings" > $stamp
  fi
  [ $with_tests = 1 ] || target=(--target air)
  say "building (the first time takes some minutes)"
  cmake --build --preset release "${target[@]}" >&2
}

install_packages
prepare_python
[ $for_wheel = 1 ] || [ $for_fuzz = 1 ] || build
