#!/usr/bin/env bash
# Makes build/gpu_kit.tar.xz: all that scripts/gpu_check.py needs on a machine that has a GPU, Python
# with a CUDA build of torch, and no network. In it: air, built here against that version of torch;
# the libraries it needs beside torch; tiny models of every family with their losses in float64 by
# transformers.
#   scripts/gpu_kit.sh            all of it
#   scripts/gpu_kit.sh --program  builds anew what is compiled and keeps the models of the last run
# Then carry this folder there and run:
#   python3 -m tarfile -e build/gpu_kit.tar.xz /tmp && python3 scripts/gpu_check.py /tmp/gpu_kit OUT
# Settings: AIR_GPU_TORCH=2.11.0    the version of torch on that machine
#           AIR_GPU_PYTHON=3.12     … of Python (the wheel's headers and libraries are the same)
#           LibTorch_ROOT=DIR       headers and libraries of that torch, where they are here already
# Exit code: 0 made · 1 not · 77 this version of torch cannot be had here.
cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"

version=${AIR_GPU_TORCH:-2.11.0}
python_version=${AIR_GPU_PYTHON:-3.12}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/air/gpu-kit
torch=${LibTorch_ROOT:-$cache/torch-$version/torch}
kit=build/gpu_kit
limit_mib=58
python=.venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1 HF_HUB_OFFLINE=1

keep_models=0
case "${1:-}" in
  "") ;;
  --program) keep_models=1 ;;
  *) die "unknown argument $1 (known: --program, --help)" ;;
esac

# Headers and libraries of torch only. The nvidia libraries are that machine's: linking does not need
# them.
unpack_wheel() {
  [ ! -e "$torch/lib/libtorch_cuda.so" ] || return 0
  [ -z "${LibTorch_ROOT:-}" ] || die "no CUDA build of torch in $torch"
  mkdir -p "$cache/wheel" "${torch%/*}"
  say "downloading torch $version for Python $python_version"
  python3 -m pip download -q "torch==$version" --no-deps --only-binary=:all: \
    --python-version "$python_version" -d "$cache/wheel" >&2 ||
    { say "SKIPPED: torch $version cannot be had here"; exit 77; }
  python3 - "$cache/wheel/torch-$version"*-cp"${python_version/./}"-*.whl "${torch%/*}" <<'PY'
import re
import sys
import zipfile

libraries = r"libtorch(_cpu|_cuda|_cuda_linalg|_global_deps|_nvshmem)?|libc10(_cuda)?|libcaffe2_nvrtc"
wanted = re.compile(rf"torch/include/|torch/version\.py$|torch/lib/({libraries})\.so$|torch/lib/libgomp")
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if wanted.match(name)])
PY
  [ -e "$torch/lib/libtorch_cuda.so" ] || die "torch $version of this index is a build without CUDA"
}

build_programs() {
  say "building against torch $version"
  cmake -S . -B build/gpu -G Ninja -DCMAKE_BUILD_TYPE=Release -DAIR_TESTS=ON \
    -DLibTorch_ROOT="$torch" > build/gpu.log 2>&1 || die "configuring failed: $(tail -5 build/gpu.log)"
  grep -q "libtorch $version.*CUDA ON" build/gpu.log || die "not what was asked for: $(grep libtorch build/gpu.log)"
  cmake --build build/gpu --target air dump_logits >&2
}

# The libraries that the programs need and that machine may lack: all but torch's own, the C library
# and the C++ runtime.
libraries_beside_torch() {
  LD_LIBRARY_PATH="$torch/lib" ldd build/gpu/air build/gpu/air-torch build/gpu/tests/dump_logits | awk '$3 ~ /^\// {print $3}' | sort -u |
    grep -vE "^$torch/|/(libc|libm|libdl|librt|libutil|libpthread|ld-linux[^/]*|libstdc\+\+|libgcc_s)\.so|/lib(cudart|cupti)\.so"
}

copy_programs() {
  local library
  rm -rf "${kit:?}"/{bin,lib}
  mkdir -p "$kit/bin" "$kit/lib"
  install -s -m 755 build/gpu/air build/gpu/air-torch build/gpu/tests/dump_logits "$kit/bin/"
  for library in $(libraries_beside_torch); do cp -L "$library" "$kit/lib/"; done
  chmod u+w "$kit"/lib/*
  strip --strip-unneeded "$kit"/lib/*
  say "needs $(objdump -T "$kit"/bin/* "$kit"/lib/* | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -1) there," \
    "$(objdump -T "$kit"/bin/* "$kit"/lib/* | grep -oE 'GLIBCXX_[0-9.]+' | sort -Vu | tail -1)"
}

make_models() {
  if [ $keep_models = 1 ] && [ -e "$kit/families/losses.json" ]; then return; fi
  say "making the models and their losses"
  rm -rf "$kit/families" "$kit/planted" "$kit/tokenizer"
  $python scripts/make_planted_model.py "$kit/planted" > /dev/null
  $python scripts/gpu_golden.py "$kit" >&2
}

pack() {
  local size
  cp examples/gsm8k_50.jsonl "$kit/"
  tar -C build -c gpu_kit | xz -T0 -6 > "$kit.tar.xz"
  size=$(du -m "$kit.tar.xz" | cut -f1)
  [ "$size" -le $limit_mib ] || die "$kit.tar.xz has $size MiB, more than $limit_mib"
  say "$kit.tar.xz: $size MiB"
}

mkdir -p build
unpack_wheel
build_programs
copy_programs
make_models
pack
