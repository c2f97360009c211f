#!/usr/bin/env bash
# The main job on the demo model: finds the retrieval heads, scores 50 GSM8K traces, cuts the best
# 10. Leaves out/heads.json, out/scored.jsonl and out/subset.jsonl.
# Makes what is missing first (scripts/setup.sh; scripts/setup.sh --help lists the settings).
cd "$(dirname "$0")/.." && source scripts/common.sh
help_if_asked "$@"

scripts/setup.sh
model=$(.venv/bin/python scripts/make_demo_model.py)
mkdir -p out

step() { printf '\n$ %s\n' "$*" >&2; "$@"; }

step build/release/air find-heads --model "$model" -o out/heads.json
step build/release/air score --model "$model" --heads out/heads.json examples/gsm8k_50.jsonl -o out/scored.jsonl
step build/release/air select out/scored.jsonl --top-k 10 -o out/subset.jsonl
step build/release/air show out/scored.jsonl --first 1 --last 1 --heads out/heads.json
printf '\nThe results: out/heads.json, out/scored.jsonl (all 50, ranked), out/subset.jsonl (the best 10)\n'
