#!/usr/bin/env bash
# What a change must pass: format, includes, all quick tests, and the C++ tests under sanitizers.
#   scripts/check.sh             everything
#   scripts/check.sh --format    rewrites the sources by .clang-format, and stops
set -euo pipefail
cd "$(dirname "$0")/.."

sources() { git ls-files -z '*.h' '*.cpp'; }

command -v clang-format > /dev/null || { echo "check: error: clang-format is needed (Debian: apt-get install clang-format)" >&2; exit 1; }
if [ "${1:-}" = --format ]; then
  sources | xargs -0 clang-format -i
  exit
fi
echo "check: format" >&2
sources | xargs -0 clang-format --dry-run --Werror
echo "check: includes" >&2
python3 scripts/check_includes.py
echo "check: tests" >&2
scripts/test.sh
echo "check: sanitizers" >&2
cmake --preset asan > /dev/null
cmake --build --preset asan
# libtorch keeps some memory to the end of the process: that is no leak of ours. A test asks for more memory than there is, and expects
# an error instead of an end.
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 ctest --preset asan -L 'unit|model' -LE 'slow|properties'
