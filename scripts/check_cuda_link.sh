#!/usr/bin/env bash
# Builds air against the CUDA wheel of torch and runs the result; no GPU, no CUDA toolkit and no nvcc needed.
# Without a GPU `--device cuda` must end in the error that says so (exit 5); with one, it must score.
#   scripts/check_cuda_link.sh        about 5 GB in ${XDG_CACHE_HOME:-~/.cache}/air/cuda-wheel, kept for the next time
# Settings: AIR_CUDA_TORCH=2.14.1     the version of torch
#           AIR_CUDA_FOLDER=DIR       where the virtual environment and the build go
# Exit code: 0 it works · 1 it does not · 77 the wheel is not available here.

cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"

version=${AIR_CUDA_TORCH:-2.14.1}
folder=${AIR_CUDA_FOLDER:-${XDG_CACHE_HOME:-$HOME/.cache}/air/cuda-wheel}
python=$folder/venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1

skip() { printf 'check_cuda_link: SKIPPED: %s\n' "$*" >&2; exit 77; }

# ---- the wheel -------------------------------------------------------------------------------------------------------

# What the installed torch asks for, as pip arguments: its nvidia libraries without triton, which only compiles Python.
required_libraries() {
  "$python" - "$@" <<'PY'
import re
import sys
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement

seen, queue = {}, [(name, frozenset()) for name in sys.argv[1:]]
while queue:
    name, extras = queue.pop()
    try:
        lines = requires(name) or []
    except Exception:
        continue  # not installed yet: the next round sees what it asks for
    for line in lines:
        wanted = Requirement(line)
        if not re.match(r"nvidia|cuda", wanted.name):
            continue
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        key = wanted.name.lower()
        if key in seen and seen[key][1] >= wanted.extras:
            continue
        seen[key] = (f"{wanted.name}{wanted.specifier}", frozenset(wanted.extras))
        queue.append((wanted.name, frozenset(wanted.extras)))
print("\n".join(text for text, _ in seen.values()))
PY
}

install_wheel() {
  [ "$(cat "$folder/installed" 2> /dev/null)" = "$version" ] && return
  local free
  mkdir -p "$folder"
  free=$(df -Pk "$folder" | awk 'NR == 2 {print int($4 / 1048576)}')
  [ "$free" -ge 12 ] || skip "$folder has $free GiB free; the wheel and its libraries need 12"
  [ -x "$folder/venv/bin/pip" ] || python3 -m venv "$folder/venv"
  say "installing torch $version and its CUDA libraries into $folder/venv"
  # --no-cache-dir: the packages are as large again. A local version (+cpu) is another build of torch.
  "$python" -m pip install -q --no-cache-dir --no-deps "torch===$version" >&2 || skip "torch $version can't be installed here"
  [ -e "$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')/lib/libtorch_cuda.so" ] ||
    skip "torch $version is a build without CUDA here"
  # Libraries may come as extras of one package: what they ask for is known once that is installed.
  local wanted before=
  while wanted=$(required_libraries torch) && [ "$wanted" != "$before" ]; do
    before=$wanted
    xargs "$python" -m pip install -q --no-cache-dir --no-deps <<< "$wanted" >&2 || skip "the CUDA libraries can't be installed here"
  done
  printf '%s\n' "$version" > "$folder/installed"
}

# ---- the build and what it does --------------------------------------------------------------------------------------

check() {
  local air=$folder/build/air log=$folder/score.log code=0
  cmake -S . -B "$folder/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DAIR_TESTS=OFF -DLibTorch_PYTHON="$python" > "$folder/configure.log" 2>&1 ||
    die "configuring failed: $(tail -5 "$folder/configure.log")"
  grep 'libtorch .*CUDA ON' "$folder/configure.log" >&2 || die "configured without CUDA: $(grep libtorch "$folder/configure.log")"
  cmake --build "$folder/build" --target air >&2 || die "the build failed"
  readelf -d "$air-torch" | grep -q 'NEEDED.*libtorch_cuda' && die "$air-torch needs libtorch_cuda: it would not run on a CPU build of torch"
  "$air" --version

  # The planted model (scripts/make_planted_model.py) needs numpy and safetensors: .venv has them.
  local maker=.venv/bin/python
  [ -x $maker ] || maker=python3
  "$maker" scripts/make_planted_model.py "$folder/planted" > /dev/null || die "making the planted model failed (scripts/setup.sh --test)"
  "$air" score --model "$folder/planted" --heads 1-5 --device cpu examples/gsm8k_50.jsonl -o "$folder/cpu.jsonl" --quiet || die "scoring on the CPU failed"
  "$air" score --model "$folder/planted" --heads 1-5 --device cuda examples/gsm8k_50.jsonl -o "$folder/cuda.jsonl" 2> "$log" || code=$?
  cat "$log" >&2
  if [ $code = 0 ]; then
    say "scored on the GPU"
  elif [ $code = 5 ] && grep -q '^air: error: --device cuda: no GPU: there is no NVIDIA driver' "$log" && [ "$(grep -c . "$log")" -le 3 ]; then
    say "no GPU here: --device cuda ends in its error, exit code 5"
  else
    die "--device cuda ended with exit code $code"
  fi
  say "air builds, links and runs with torch $version (CUDA)"
}

install_wheel
[ "${1:-}" = --install ] || check
