"""From records to a training set in one pipe, no Python in between: AIR_ROUND_TRIP names a file of records, such as 2,000 of GSM8K."""
import os
import subprocess
import time

import pytest
from air_runner import air_binary, clean_environment

HEADS = "18-6,18-7,17-3,20-6,23-7"
PIPE = 'set -o pipefail; "$AIR" score --model "$MODEL" --heads "$HEADS" "$FILE" | tee "$SCORED" | "$AIR" select - --top-percent 10 | tee "$SUBSET" | wc -l'


def test_score_select_and_count_in_a_pipe(demo_model, tmp_path):
    records = os.environ.get("AIR_ROUND_TRIP")
    if not records:
        pytest.skip("AIR_ROUND_TRIP names no file of records")
    scored, subset = tmp_path / "scored.jsonl", tmp_path / "subset.jsonl"
    environment = clean_environment(AIR=air_binary(), MODEL=str(demo_model), HEADS=HEADS, FILE=records, SCORED=str(scored), SUBSET=str(subset))
    start = time.monotonic()
    result = subprocess.run(["bash", "-c", PIPE], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with open(records, "rb") as file:
        num_records = sum(1 for line in file if line.strip())
    print(f"{num_records} records, {int(result.stdout)} kept, {time.monotonic() - start:.0f} s\n{result.stderr}")
    assert int(result.stdout) == -(-num_records // 10)
    lines = scored.read_bytes().splitlines(keepends=True)
    assert len(lines) == num_records
    assert subset.read_bytes() == b"".join(lines[:int(result.stdout)])
