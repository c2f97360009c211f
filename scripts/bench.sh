#!/usr/bin/env bash
# The benchmark of record: scripts/bench.py with what it needs set up and built.

cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"
scripts/setup.sh --test
exec .venv/bin/python scripts/bench.py "$@"
