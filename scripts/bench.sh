#!/usr/bin/env bash
# The benchmark of record: scripts/bench.py with what it needs set up and built.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh --test
exec .venv/bin/python scripts/bench.py "$@"
