#!/usr/bin/env bash
# The checks of continuous integration, in the clone that this file is in: the README's test command
# first, on what it installs itself, with warnings as errors; then format and includes. The
# sanitizers are left to scripts/check.sh. Ends with the last line of the tests.
cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"

AIR_WERROR=ON scripts/test.sh
scripts/check.sh --style
printf '\n'
grep 'tests passed' build/release/tests.log
