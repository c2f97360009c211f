#!/usr/bin/env bash
# What a change must pass: all quick tests with warnings as errors, format, includes, and the C++
# tests under sanitizers.
#   scripts/check.sh               everything
#   scripts/check.sh --no-tests    all but the quick tests
#   scripts/check.sh --style       format and includes only
#   scripts/check.sh --format      rewrites the sources by .clang-format, and stops
# scripts/setup.sh --help lists the settings.
cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"

sources() { git ls-files -z '*.h' '*.cpp' '*.cu'; }

case "${1:-}" in
  --format)
    command -v clang-format > /dev/null || die "clang-format is missing (Debian: apt-get install clang-format)"
    sources | xargs -0 clang-format -i
    exit ;;
  --no-tests | --style | "") ;;
  *) die "unknown argument $1 (known: --no-tests, --style, --format, --help)" ;;
esac

# build/release is the build with warnings as errors: the tests are compiled once.
export AIR_WERROR=ON
[ $# != 0 ] || scripts/test.sh
scripts/setup.sh --check
say "format"
sources | xargs -0 clang-format --dry-run --Werror
say "includes"
python3 scripts/check_includes.py
[ "${1:-}" != --style ] || exit 0
say "sanitizers: build"
cmake --preset asan -D "$(head -n 1 build/release/configured-with)" > /dev/null
cmake --build --preset asan
say "sanitizers: tests"
# libtorch keeps some memory to the end of the process: that is not our leak. A test asks for more
# memory than there is, and expects an error.
ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
  ctest --preset asan --parallel 2 -L 'unit|model' -LE 'slow|properties' < /dev/null
