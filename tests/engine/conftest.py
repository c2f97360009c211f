import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "integrations"))

from air_runner import GSM8K, demo_model, succeed  # noqa: E402,F401

HEADS = "18-6,18-7,17-3,20-6"   # SmolLM2's first four: README.md
# A trace a batch: then no sum depends on which traces share a process. Short, so that hundreds take seconds.
ALONE = ["--max-batch-tokens", "1", "--max-length", "48", "--overlong", "truncate"]
NUM_RECORDS = 200


@pytest.fixture(scope="session")
def traces(tmp_path_factory):
    """200 short records: the fifty of GSM8K, each in four forms."""
    path = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    records = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]
    with path.open("w", encoding="utf-8") as file:
        for i in range(NUM_RECORDS):
            record = records[i % len(records)]
            item = {"id": f"r{i}", "number": i, "prompt": "Solve it." * (i // len(records)), "response": record["response"][:100]}
            file.write(json.dumps(item, ensure_ascii=False) + "\n")
    return path


@pytest.fixture(scope="session")
def single(demo_model, traces, tmp_path_factory):  # noqa: F811
    """The scored file of one process."""
    out = tmp_path_factory.mktemp("single") / "scored.jsonl"
    succeed("score", "--model", demo_model, "--heads", HEADS, traces, *ALONE, "--threads", "1", "-o", out)
    return out


def without_rank(record):
    return record | {"air": {key: value for key, value in record["air"].items() if key != "rank"}}


def in_order(path):
    """The records of a scored file by line, without their ranks."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [without_rank(record) for record in sorted(records, key=lambda record: record["air"]["line"])]
