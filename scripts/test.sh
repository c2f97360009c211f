#!/usr/bin/env bash
# Makes what the tests need, builds, and runs every test but the slow ones.
#   scripts/test.sh              other arguments go to ctest: scripts/test.sh -L unit
#   AIR_SLOW=1 scripts/test.sh   the slow ones too (about 15 minutes more)
# The output is kept in build/release/tests.log.
# scripts/setup.sh --help lists the settings.
cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"

scripts/setup.sh --test
.venv/bin/python scripts/make_demo_model.py > /dev/null

selection=(-LE slow)
[ "${AIR_SLOW:-0}" != 1 ] || selection=()
# Tests of the model use all cores themselves: two at a time keep the machine busy, more would wait.
ctest --preset release --parallel 2 --output-log build/release/tests.log "${selection[@]}" "$@" < /dev/null
