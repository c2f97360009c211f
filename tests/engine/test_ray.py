"""air_ray with a real Ray: two workers, one of them killed in the middle, and the rows of a single run."""
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from air_runner import air_binary, records, succeed
from conftest import ALONE, HEADS, NUM_RECORDS, in_order

import ray
import air_ray


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory):
    os.environ["PYTHONPATH"] = str(Path(air_ray.__file__).parent)   # the workers import air_ray as well
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=200 << 20, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def plain(value):
    """Without what a table adds: nulls."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if item is not None}
    return [plain(item) for item in value] if isinstance(value, list) else value


def streams():
    """The processes of `air score --stream`, and the workers of Ray that feed them."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            if command[1:2] == [b"score"] and b"--stream" in command:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                found.append((int(folder.name), parent))
        except (OSError, ValueError, IndexError):
            pass
    return found


@pytest.mark.parametrize("victim", ["the process of air", "the worker of Ray"])
def test_a_killed_worker_costs_no_row_and_doubles_none(demo_model, traces, single, victim, tmp_path):
    killed = []
    done = threading.Event()

    def kill_one():
        while not done.wait(0.02):
            found = [pair for pair in streams() if pair not in before]
            if len(found) == 2:
                time.sleep(1)   # the model is loaded, blocks are on their way
                pid = found[0][0 if victim == "the process of air" else 1]
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return

    before = streams()
    rows = [json.loads(line) for line in traces.read_text(encoding="utf-8").splitlines()]
    dataset = ray.data.from_items(rows, override_num_blocks=20)
    scored = air_ray.score(dataset, demo_model, HEADS, flags=ALONE, num_workers=2, batch_size=10, line="number", program=air_binary())
    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        result = scored.take_all()
    finally:
        done.set()
        killer.join()
    assert killed, "no worker was killed before the end"
    assert len(result) == NUM_RECORDS
    assert [plain(row) for row in result] == in_order(single)
    # What Ray writes as JSON, nulls and all, is ranked as the single run was.
    written = tmp_path / "scored.jsonl"
    written.write_text("".join(json.dumps(row) + "\n" for row in result), encoding="utf-8")
    ranked = records(succeed("select", written, "--top-percent", "100"))
    assert [(row["id"], row["air"]["rank"]) for row in ranked] == [(row["id"], row["air"]["rank"]) for row in records(single.read_bytes())]


def test_rows_that_cannot_be_scored(demo_model):
    rows = [{"prompt": "a", "response": "b c d", "n": 0}, {"prompt": "a", "response": None, "n": 1}, {"prompt": "a", "response": "e f", "n": 2}]
    score = lambda on_error: air_ray.score(ray.data.from_items(rows, override_num_blocks=1), demo_model, HEADS, flags=ALONE, on_error=on_error,
                                           program=air_binary()).take_all()
    assert [row["n"] for row in score("skip")] == [0, 2]
    reported = score("report")
    assert [row["air"] is None for row in reported] == [False, True, False]
    assert "response" in reported[1]["air_error"] and reported[0]["air_error"] is None
    with pytest.raises(Exception, match="a row cannot be scored"):
        score("fail")
