#!/usr/bin/env python3
"""How `air select` and the join of shards grow: 100,000, 1,000,000 and 10,000,000 generated scored rows, no model needed.

    scripts/bench_scale.py [--rows 100000 1000000 10000000] [--air FILE] [--folder FOLDER] [-o FILE]

Rows have about 0.5 kB (short traces of two steps): 10,000,000 take 11 GB in the folder, input and output. For each size it runs
`air select --top-percent 10` over one file and `air select s0 s1`, which joins two shards, and prints seconds by the clock,
processor seconds, and peak resident memory, all three by row. Exit code 1 when processor seconds or memory of a row grow by
more than a quarter from one size to the next: then they are not linear.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import air_binary, clean_environment

MOST_GROWTH = 1.25


def write_shards(paths, count):
    """Rows in turn into the files, with ranks of their own in each."""
    rng = random.Random(0)
    files = [open(path, "w", encoding="utf-8") for path in paths]
    text = "Twice 12 is 24. " * 3
    for row in range(count):
        base, ratio, first = 0.2 + rng.random(), rng.gauss(0.2, 0.3), rng.random()
        losses = f'"base_nll":{base!r},"ref_nll":{base * (1 + ratio)!r},"entropy":{base * 0.9!r}'
        steps = ",".join(f'{{"begin":{24 * i},"end":{24 * i + 24},"num_tokens":9,{losses},"influence":{ratio!r},"divergence":{base * ratio!r},'
                         f'"weight":{first + i!r}}}' for i in range(2))
        files[row % len(files)].write(
            f'{{"id":"r{row}","prompt":"What is twice {row}?","response":"{text}","air":{{"schema":"air.score/1","rank":{row // len(files) + 1},'
            f'"line":{row + 1},"influence":{ratio!r},"divergence":{base * ratio!r},{losses},"num_tokens":18,"num_prompt_tokens":9,"num_steps":2,'
            f'"steps":[{steps}]}}}}\n')
    for file in files:
        file.close()


def run(command):
    """(seconds, processor seconds, peak resident bytes) of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=clean_environment())
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)}: exit status {status}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--air", default=air_binary())
    parser.add_argument("--folder", help="for the rows; default: the system's temporary folder")
    parser.add_argument("-o", "--output", type=Path, help="file for the table")
    given = parser.parse_args()
    lines = ["| rows | GB | command | seconds | processor seconds | µs a row | peak MiB | bytes a row beyond 10 MiB |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    before, failed = {}, False
    print("\n".join(lines), flush=True)
    for rows in given.rows:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            shards, out = [f"{folder}/s0.jsonl", f"{folder}/s1.jsonl"], f"{folder}/out.jsonl"
            write_shards(shards, rows)
            size = sum(map(os.path.getsize, shards))
            for name, flags, expected in (("select --top-percent 10", ["--top-percent", "10"], -(-rows // 10)), ("select s0 s1", [], rows)):
                seconds, processor, peak = run([given.air, "select", *shards, *flags, "-o", out])
                if count_lines(out) != expected:
                    sys.exit(f"{name}: {count_lines(out)} lines, not {expected}")
                os.remove(out)
                by_row = (processor / rows, max(0, peak - (10 << 20)) / rows)
                if name in before:
                    failed = failed or any(now > MOST_GROWTH * then for now, then in zip(by_row, before[name]))
                before[name] = by_row
                lines.append(f"| {rows:,} | {size / 1e9:.2f} | {name} | {seconds:.1f} | {processor:.1f} | {1e6 * by_row[0]:.2f} | {peak / 2**20:.0f} "
                             f"| {by_row[1]:.0f} |")
                print(lines[-1], flush=True)
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
