#!/usr/bin/env bash
# The benchmark of record: scripts/bench.py with what it needs set up and built.

cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"
scripts/setup.sh --test
# The peers beside the environment that they run in, not inside it.
if [[ " $* " == *" --peers "* ]]; then
  .venv/bin/python -m pip install --quiet --upgrade --target build/peers --no-deps -r requirements-bench.txt
  export PYTHONPATH=$PWD/build/peers
fi
exec .venv/bin/python scripts/bench.py "$@"
