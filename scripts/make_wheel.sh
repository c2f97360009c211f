#!/usr/bin/env bash
# Builds the wheel dist/air_select-VERSION-py3-none-manylinux_…_x86_64.whl and checks it: installed
# into an empty environment it must start, and score a small model like a build from source
# (build/release/air, when that is there).
# Makes what is missing first (scripts/setup.sh --wheel).
# Settings: LibTorch_ROOT=DIR   the torch to build against; else that of .venv. Its minor version must
#                               be that of pyproject.toml.
cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"
[ $# = 0 ] || die "unknown argument $1 (known: --help)"

scripts/setup.sh --wheel
python=${PYTHON:-python3}
tools=build/wheel-tools
export PIP_DISABLE_PIP_VERSION_CHECK=1
export CXX=${CXX:-c++}  # as in the presets, so that the compiler's cache serves both builds

torch_root() {
  if [ -n "${LibTorch_ROOT:-}" ]; then
    echo "$LibTorch_ROOT"
  else
    .venv/bin/python -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' ||
      die "no torch in .venv: scripts/setup.sh, or LibTorch_ROOT=…/site-packages/torch"
  fi
}

build() {
  if ! cmp -s requirements-wheel.txt $tools/installed; then
    say "installing $(grep -v '^#' requirements-wheel.txt | tr '\n' ' ')into $tools"
    [ -x $tools/bin/pip ] || "$python" -m venv $tools
    $tools/bin/python -m pip install -q -r requirements-wheel.txt >&2
    cp requirements-wheel.txt $tools/installed
  fi
  say "building against $torch"
  rm -rf build/wheel-raw build/wheel-repaired
  PATH="$PWD/$tools/bin:$PATH" $tools/bin/python -m pip wheel -q . --no-deps --no-build-isolation --wheel-dir build/wheel-raw \
    --config-settings=cmake.define.LibTorch_ROOT="$torch" --config-settings=cmake.define.AIR_PARQUET=ON \
    --config-settings=cmake.define.PyArrow_ROOT="$pyarrow" >&2
  # Tells the oldest glibc that will do, and names the wheel by it. The libraries of torch stay with torch, those of
  # pyarrow with pyarrow.
  PATH="$PWD/$tools/bin:$PATH" $tools/bin/auditwheel -v repair --wheel-dir build/wheel-repaired \
    --exclude libtorch_cpu.so --exclude libc10.so --exclude libgomp.so.1 \
    --exclude 'libarrow.so.*' --exclude 'libparquet.so.*' build/wheel-raw/*.whl > build/wheel-repair.log 2>&1 ||
    die "auditwheel: $(tail -3 build/wheel-repair.log)"
  mkdir -p dist
  cp build/wheel-repaired/*.whl dist/
  wheel=$(echo build/wheel-repaired/*.whl)
  wheel=dist/${wheel##*/}
}

# An environment of its own with nothing but the wheel. torch and pyarrow are linked into it: a copy is as large as gigabytes.
check() {
  local env=build/wheel-check site folder
  rm -rf $env
  "$python" -m venv $env
  site=$($env/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  for folder in "$torch" "$torch"/../nvidia "$torch"/../torch.libs "$pyarrow"; do
    [ ! -d "$folder" ] || ln -s "$(realpath "$folder")" "$site/"
  done
  $env/bin/python -m pip install -q --no-deps "$wheel" >&2
  $env/bin/air --version
  $env/bin/python -I -c 'import air_stream, sys; assert air_stream.find_program().startswith(sys.prefix)' ||
    die "air_stream is not in the wheel, or does not find its air"

  .venv/bin/python scripts/make_planted_model.py $env/planted > /dev/null
  score() { "$1" score --model $env/planted --heads 1-5 --device cpu examples/gsm8k_50.jsonl -o "$env/$2" --quiet; }
  score $env/bin/air wheel.jsonl
  [ "$(wc -l < $env/wheel.jsonl)" = "$(wc -l < examples/gsm8k_50.jsonl)" ] || die "not every trace was scored"
  if [ -x build/release/air ]; then
    score build/release/air source.jsonl
    cmp $env/wheel.jsonl $env/source.jsonl || die "the wheel scores otherwise than build/release/air"
    say "the wheel's scores are those of build/release/air, byte for byte"
  fi
  $env/bin/python -I -c "import air_select
air_select.score('examples/gsm8k_50.jsonl', '$env/planted', '1-5', '$env/module.jsonl', device='cpu')"
  cmp $env/wheel.jsonl $env/module.jsonl || die "the module air_select scores otherwise than the wheel's air"
  score $env/bin/air wheel.parquet
  $env/bin/air select $env/wheel.parquet --top-percent 100 -o $env/again.jsonl --quiet
  .venv/bin/python -c 'import json, sys
a, b = ([json.loads(line) for line in open(path, encoding="utf-8")] for path in sys.argv[1:])
assert a == b' $env/wheel.jsonl $env/again.jsonl || die "the wheel reads other values than it wrote as Parquet"
}

torch=$(torch_root)
pyarrow=$(.venv/bin/python -c 'import importlib.util as u; print(u.find_spec("pyarrow").submodule_search_locations[0])')
build
check
say "$(du -h "$wheel" | cut -f1) $wheel"
