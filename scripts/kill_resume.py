#!/usr/bin/env python3
"""Kills `air score` with SIGKILL at random moments, resumes it each time, and checks that nothing is lost.

    scripts/kill_resume.py --model DIR --heads heads.json TRACES.jsonl [--kills 20] [--shards 3] [--seed N] [-- MORE FLAGS OF SCORE]

1. An uninterrupted run gives the output to compare with.
2. Runs with --resume are killed at random moments within the time that a whole run took. When one gets through, its output
   must be the same byte for byte; then a new output is begun, until all kills are spent and the last output is whole.
3. What each run scored is counted from its own log (--verbose: a line a batch), what was kept on disk from OUT.partial. Each
   kill may cost the batch that was being scored, no more.
4. Shards are scored one by one, joined by `air select`, and compared with the unsharded run: the records' bytes exactly, the
   numbers within --tolerance (other batches round otherwise).

Prints the figures as JSON; exit code 1 when something was lost. The kill moments follow from --seed, which is printed.
"""
import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import air_binary, clean_environment, split_arguments

BATCH = re.compile(r"batch of (\d+) traces scored")
KEPT = re.compile(r"kept of the run before: (\d+) trace")


class Lost(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Lost(what)


def score_command(given, output, *flags):
    return [given.air, "score", "--model", given.model, "--heads", given.heads, *given.traces, "-o", str(output), "--verbose",
            "--progress", "never", *given.flags, *flags]


def finish(command, log):
    """Runs to the end; what it wrote to stderr."""
    with open(log, "wb") as file:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=file, env=clean_environment()).returncode
    text = Path(log).read_text()
    check(code == 0, f"{' '.join(command)}\nexit code {code}\n{text}")
    return text


def kill_after(command, seconds, log):
    """Starts a run and kills it then; True when it was over before."""
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=file, env=clean_environment())
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
    check(code in (0, -9), f"exit code {code}\n{Path(log).read_text()}")
    return code == 0


def kept_lines(output):
    """Whole lines of OUT.partial without its header; none when it is gone."""
    partial = Path(f"{output}.partial")
    lines = partial.read_bytes().count(b"\n") - 1 if partial.exists() else 0
    return max(0, lines)


def batches(log):
    return [int(size) for size in BATCH.findall(log)]


def kill_and_resume(given, folder, expected, largest_batch, duration, rng):
    """The figures of `given.kills` kills."""
    num_traces = expected.count(b"\n")
    figures = {"kills": 0, "outputs": 0, "kills_before_first_score": 0, "kills_with_scores_kept": 0, "scored_twice_or_lost": 0,
               "most_per_kill": 0, "traces_scored": 0}
    while figures["kills"] < given.kills:
        output, log = folder / f"round{figures['outputs']}.jsonl", folder / "run.log"
        command = score_command(given, output, "--resume")
        whole, before = False, 0
        while not whole:
            if figures["kills"] < given.kills:
                whole = kill_after(command, rng.uniform(0, duration), log)
                figures["kills"] += not whole
            else:
                finish(command, log)
                whole = True
            # A kill after the last deletion finds the run complete.
            killed_complete = not whole and output.exists() and not Path(f"{output}.partial").exists()
            text = log.read_text()
            scored, kept = sum(batches(text)), KEPT.search(text)
            after = num_traces if whole or killed_complete else kept_lines(output)
            if scored:
                start = int(kept[1]) if kept else 0
                check(before - start < largest_batch, f"{before} traces were kept, {start} of them taken up again")
                check(0 <= start + scored - after <= largest_batch,
                      f"{start} + {scored} traces were scored, {after} are kept: more than a batch of {largest_batch} is lost")
                cost = (before - start) + (start + scored - after)
                figures["scored_twice_or_lost"] += cost
                figures["most_per_kill"] = max(figures["most_per_kill"], cost)
                figures["traces_scored"] += scored
            else:
                check(after >= before or before - after < largest_batch, f"{before} traces were kept, {after} are left")
            if not whole:
                figures["kills_with_scores_kept"] += after > 0
                figures["kills_before_first_score"] += after == 0
            whole = whole or killed_complete
            before = after
        check(output.read_bytes() == expected, f"{output} differs from the uninterrupted run's")
        check(sorted(path.name for path in folder.glob(output.name + "*")) == [output.name, output.name + ".manifest.json"],
              "something is left beside the output")
        figures["outputs"] += 1
    check(figures["traces_scored"] <= num_traces * figures["outputs"] + given.kills * largest_batch, "too many traces were scored")
    return figures


def body_and_scores(line):
    """The bytes of a scored line before `air`, and the value of `air`."""
    return line[:line.rindex(b',"air":')], json.loads(line)["air"]


def same_numbers(a, b, tolerance, path="air"):
    """The largest difference; lists, keys and integers must be equal."""
    if isinstance(a, dict):
        check(list(a) == list(b), f"{path}: {list(a)} != {list(b)}")
        return max((same_numbers(a[key], b[key], tolerance, f"{path}.{key}") for key in a if key != "rank"), default=0.0)
    if isinstance(a, list):
        check(len(a) == len(b), path)
        return max((same_numbers(x, y, tolerance, f"{path}[{i}]") for i, (x, y) in enumerate(zip(a, b))), default=0.0)
    if isinstance(a, float) or isinstance(b, float):
        difference = abs(a - b)
        check(difference <= tolerance * max(1.0, abs(a)), f"{path}: {a} != {b}")
        return difference
    check(a == b, f"{path}: {a} != {b}")
    return 0.0


def join_shards(given, folder, expected):
    """Shards joined by select against the run without: the same traces, ordered by influence."""
    paths = []
    for index in range(given.shards):
        paths.append(folder / f"shard{index}.jsonl")
        finish(score_command(given, paths[-1], "--shard", f"{index}/{given.shards}"), folder / "run.log")
    joined = folder / "joined.jsonl"
    finish([given.air, "select", *map(str, paths), "-o", str(joined)], folder / "run.log")
    key = lambda line: (json.loads(line)["air"]["line"], json.loads(line)["air"].get("trace", 0))
    ours, theirs = joined.read_bytes().splitlines(), expected.splitlines()
    check(len(ours) == len(theirs), f"{len(ours)} joined rows, not {len(theirs)}")
    influences = [json.loads(line)["air"]["influence"] for line in ours]
    check(influences == sorted(influences, reverse=True), "the joined rows are not in the order of influence")
    check([json.loads(line)["air"]["rank"] for line in ours] == list(range(1, len(ours) + 1)), "the joined rows' ranks do not count from 1")
    largest = 0.0
    for mine, other in zip(sorted(ours, key=key), sorted(theirs, key=key)):
        (body, air), (wanted_body, wanted) = body_and_scores(mine), body_and_scores(other)
        check(body == wanted_body, "a record's own bytes differ")
        largest = max(largest, same_numbers(air, wanted, given.tolerance))
    return {"shards": given.shards, "rows": len(ours), "largest_difference": largest,
            "rows_in_another_place": sum(key(a) != key(b) for a, b in zip(ours, theirs))}


def main():
    arguments, flags = split_arguments()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--heads", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--shards", type=int, default=3, help="0: leave this part out")
    parser.add_argument("--seed", type=int, default=None, help="default: a fresh one")
    parser.add_argument("--tolerance", type=float, default=2e-4, help="of the shards' numbers: absolute, relative above 1")
    parser.add_argument("--air", default=air_binary())
    given = parser.parse_args(arguments)
    given.flags = flags
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"kill_resume: --seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="air-kill-") as name:
        folder = Path(name)
        start = time.monotonic()
        log = finish(score_command(given, folder / "whole.jsonl"), folder / "run.log")
        duration = time.monotonic() - start
        expected = (folder / "whole.jsonl").read_bytes()
        sizes = batches(log)
        check(sum(sizes) == expected.count(b"\n"), "the log does not account for every trace")
        check(len(sizes) > 2, "too few batches for a trial: give more traces, or a smaller --max-batch-tokens after --")
        figures = {"seed": seed, "traces": sum(sizes), "batches": len(sizes), "largest_batch": max(sizes), "seconds": round(duration, 2)}
        try:
            figures |= kill_and_resume(given, folder, expected, max(sizes), duration, random.Random(seed))
            if given.shards > 0:
                figures |= join_shards(given, folder, expected)
        except Lost as e:
            print(f"kill_resume: FAILED (--seed {seed}): {e}", file=sys.stderr)
            return 1
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
