"""The recipes of docs/scale.md for a shell: xargs and parallel over shards, one of which dies, and the bytes of a single run."""
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from air_runner import REPOSITORY, air_binary, clean_environment
from conftest import ALONE, HEADS


def recipe(name):
    """The block of docs/scale.md that uses the program."""
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8"), re.S)
    found = [block for block in blocks if re.search(rf"\| {name} ", block)]
    assert len(found) == 1, f"docs/scale.md has {len(found)} recipes with {name}"
    return found[0]


def shard_process(folder):
    """A process of air that works in the folder."""
    for entry in Path("/proc").iterdir():
        try:
            if os.readlink(entry / "cwd") == str(folder) and b"--shard" in (entry / "cmdline").read_bytes().split(b"\0")[:20]:
                if (entry / "cmdline").read_bytes().split(b"\0")[1] == b"score":
                    return int(entry.name)
        except (OSError, IndexError):
            pass
    return None


@pytest.mark.parametrize("name", ["xargs", "parallel"])
def test_a_recipe_run_twice_makes_one_run(demo_model, traces, single, tmp_path, name):
    if not shutil.which(name):
        pytest.skip(f"no {name}")
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    # The recipe's flags are the reader's business; here they make shards comparable to the byte.
    wrapper = tmp_path / "bin" / "air"
    flags = " ".join([*ALONE, "--threads", "1", "--device", "cpu"])
    wrapper.write_text(f'#!/bin/sh\nif [ "$1" = score ]; then exec {air_binary()} "$@" {flags}; fi\nexec {air_binary()} "$@"\n')
    wrapper.chmod(0o755)
    shutil.copy(traces, folder / "traces.jsonl")
    (folder / "heads.json").write_text('["' + '","'.join(HEADS.split(",")) + '"]')
    environment = clean_environment(PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}", MODEL=str(demo_model), SHARDS="4", JOBS="2")
    script = "set -e\n" + recipe(name)
    first = subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (pid := shard_process(folder)) or not list(folder.glob("*.partial")):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    assert first.wait(300) != 0 and not (folder / "all.jsonl").exists()
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("scored.*.jsonl")}
    subprocess.run(["bash", "-c", script], cwd=folder, env=environment, check=True, timeout=300)
    assert (folder / "all.jsonl").read_bytes() == single.read_bytes()
    assert finished == {path: path.stat().st_mtime_ns for path in finished}
