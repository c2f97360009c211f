"""examples/slurm on a real Slurm: tasks that are killed, stopped and missing, and the bytes of a single run."""
import json
import os
import signal
import time
from pathlib import Path

import pytest
import slurm_cluster
from air_runner import REPOSITORY, air_binary, succeed
from conftest import ALONE, HEADS

NUM_SHARDS = 4


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if reason := slurm_cluster.why_not():
        pytest.skip(reason)
    cluster = slurm_cluster.Cluster(tmp_path_factory.mktemp("slurm"))
    yield cluster
    cluster.close()


@pytest.fixture
def submit(cluster, demo_model, traces, tmp_path):
    """Runs submit.sh as a user does, on the CPU; the heads are there already."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "heads.txt").write_text(HEADS.replace(",", "\n"))
    succeed("find-heads", "--model", demo_model, "--import", tmp_path / "heads.txt", "-o", out / "heads.json")

    def submit(*flags):
        return cluster.run(REPOSITORY / "examples" / "slurm" / "submit.sh", "--cpus-per-task=1", *flags, AIR_MODEL=str(demo_model),
                           AIR_TRACES=str(traces), AIR_OUT=str(out), AIR_SHARDS=str(NUM_SHARDS), AIR_PROGRAM=air_binary(),
                           AIR_FLAGS=" ".join([*ALONE, "--threads", "1", "--device", "cpu"]))

    submit.out = out
    return submit


def air_of(shard):
    """The process that scores a shard."""
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if command[1:2] == [b"score"] and f"{shard}/{NUM_SHARDS}".encode() in command:
                return int(entry.name)
        except OSError:
            pass
    return None


def parent(pid):
    return int((Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])


def tasks_of(cluster):
    """The processes of the cluster's jobs."""
    conf = f"SLURM_CONF={cluster.folder}/slurm.conf".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            environment = (entry / "environ").read_bytes().split(b"\0")
            if conf in environment and any(item.startswith(b"SLURM_JOB_ID=") for item in environment):
                found.append(int(entry.name))
        except (OSError, ValueError):
            pass
    return found


def kept(out, shard):
    path = out / f"scored.{shard}.jsonl.partial"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_only_what_is_missing_runs_again(cluster, submit, single):
    out = submit.out
    said = submit()
    assert f"tasks 0,1,2,3 of {NUM_SHARDS}" in said
    array = said.split("score: job ")[1].split(",")[0]

    # Two tasks run at a time. One is killed, the other gets what Slurm sends at the time limit.
    cluster.wait_for("scores of two tasks", lambda: kept(out, 0) > 4 and kept(out, 1) > 4, 120)
    os.kill(air_of(0), signal.SIGKILL)
    os.kill(parent(air_of(1)), signal.SIGTERM)  # the batch script alone, as --signal=B:TERM says
    # A task that is cancelled leaves a gap in the array.
    cluster.run("scancel", f"{array}_3")
    cluster.wait_for("end of the jobs", lambda: not cluster.run("squeue", "-h").strip(), 400)
    for shard in (0, 1):
        manifest = json.loads((out / f"scored.{shard}.jsonl.manifest.json").read_text())
        assert manifest["num_resumed"] >= 4, "it began anew"
    assert not (out / "scored.3.jsonl").exists() and not (out / "all.jsonl").exists()
    assert "goes on later (exit code 137, start 1)" in (out / "logs" / f"air-score.{array}_0.log").read_text()
    assert "goes on later (exit code 130, start 1)" in (out / "logs" / f"air-score.{array}_1.log").read_text()

    before = {shard: (out / f"scored.{shard}.jsonl").stat().st_mtime_ns for shard in range(3)}
    assert f"tasks 3 of {NUM_SHARDS}" in submit()
    cluster.wait_for_jobs()
    assert (out / "all.jsonl").read_bytes() == single.read_bytes()
    assert (out / "report.html").stat().st_size > 10_000
    assert before == {shard: (out / f"scored.{shard}.jsonl").stat().st_mtime_ns for shard in range(3)}
    assert "nothing is missing" in submit()


def test_a_node_that_restarts_costs_no_finished_score(cluster, submit, single):
    """Power is cut: slurmd and all that it started are gone at once; --requeue brings the tasks back."""
    out = submit.out
    submit()
    cluster.wait_for("scores of two tasks", lambda: kept(out, 0) > 4 and kept(out, 1) > 4, 120)
    cluster.node.kill()
    cluster.node.wait()
    tasks = tasks_of(cluster)
    steps = {step for step in map(parent, tasks) if (Path("/proc") / str(step) / "comm").read_text().startswith("slurmstepd")}
    assert len(steps) == 2
    for pid in (*steps, *tasks):    # whoever would tell of the tasks' end goes first
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    time.sleep(20)              # Slurm takes a task that began shortly before for one that is about to begin
    cluster.start_node("-b")    # which says that the node was booted
    cluster.wait_for_jobs()
    assert (out / "all.jsonl").read_bytes() == single.read_bytes()
    assert json.loads((out / "scored.0.jsonl.manifest.json").read_text())["num_resumed"] >= 4


def test_the_heads_are_found_once(cluster, submit):
    out = submit.out
    (out / "heads.json").unlink()
    said = submit("--time=0:10:00")
    assert "heads: job" in said and "score: job" in said
    heads = cluster.run("squeue", "-h", "--name=air-score", "-o", "%E")
    assert "afterok:" in heads
    cluster.run("scancel", "--name=air-score")
    cluster.run("scancel", "--name=air-heads")
    cluster.run("scancel", "--name=air-join")
    cluster.wait_for_jobs()
