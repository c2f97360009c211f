#!/usr/bin/env python3
"""Does a long run cost more than a short one? Seconds a token and peak memory of `air score` for growing numbers of traces.

    scripts/bench_long_run.py --model DIR --heads heads.json DATA.jsonl [--counts 100,1000,5000] [--runs 1] [-- MORE FLAGS OF SCORE]

The traces are records of DATA, shortest texts first, repeated with new ids until there are enough: every count holds the same
mix of lengths, so that only their number grows. Prints a line a run and the spread; exit code 1 when peak memory differs by
more than --memory (5 %) or seconds a token by more than --time (10 %) from those of the smallest count.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from air_cli import air_binary, clean_environment, split_arguments


def short_records(path, count, longest):
    """The `count` shortest records that have at most `longest` characters, in the order of the file."""
    lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip() and len(line) <= longest]
    chosen = set(sorted(range(len(lines)), key=lambda i: len(lines[i]))[:count])
    return [json.loads(line) for i, line in enumerate(lines) if i in chosen]


def write_traces(path, records, count):
    with open(path, "w", encoding="utf-8") as file:
        for i in range(count):
            file.write(json.dumps(records[i % len(records)] | {"id": f"long-run-{i}"}, ensure_ascii=False) + "\n")


def score(given, traces, output, flags):
    command = [given.air, "score", "--model", given.model, "--heads", given.heads, str(traces), "-o", str(output), "--quiet",
               "--no-prompt-sharing",  # the same record comes again and again: its prompt would cost nothing the second time
               *flags]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=clean_environment())
    return json.loads(Path(f"{output}.manifest.json").read_text())


def main():
    arguments, flags = split_arguments()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="JSON Lines with an id")
    parser.add_argument("--model", required=True)
    parser.add_argument("--heads", required=True)
    parser.add_argument("--counts", default="100,1000,5000")
    parser.add_argument("--records", type=int, default=100, help="different records; at most the smallest count")
    parser.add_argument("--longest", type=int, default=1000, help="characters of a line that is taken")
    parser.add_argument("--runs", type=int, default=1, help="of each count, in turn; medians are compared")
    parser.add_argument("--memory", type=float, default=0.05)
    parser.add_argument("--time", type=float, default=0.10)
    parser.add_argument("--air", default=air_binary())
    given = parser.parse_args(arguments)
    counts = sorted(int(count) for count in given.counts.split(","))
    records = short_records(given.data, min(given.records, counts[0]), given.longest)
    if not records:
        parser.error(f"{given.data} has no record of at most {given.longest} characters")

    seconds, memory = {count: [] for count in counts}, {count: [] for count in counts}
    print(f"{len(records)} different records\n{'traces':>8} {'tokens':>9} {'seconds':>9} {'µs/token':>9} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory(prefix="air-long-") as name:
        for _ in range(given.runs):
            for count in counts:
                traces, output = Path(name) / f"{count}.jsonl", Path(name) / f"{count}.scored.jsonl"
                write_traces(traces, records, count)
                manifest = score(given, traces, output, flags)
                if manifest["num_traces"] != count:
                    sys.exit(f"bench_long_run: error: {manifest['num_traces']} traces were scored, not {count}")
                seconds[count].append(manifest["seconds"] / manifest["num_tokens"])
                memory[count].append(manifest["peak_memory_bytes"])
                print(f"{count:8} {manifest['num_tokens']:9} {manifest['seconds']:9.2f} {seconds[count][-1] * 1e6:9.1f} "
                      f"{memory[count][-1] / 2**20:9.1f}", flush=True)
                output.unlink()

    failed = False
    for what, values, limit in [("seconds a token", seconds, given.time), ("peak memory", memory, given.memory)]:
        base = statistics.median(values[counts[0]])
        for count in counts[1:]:
            change = statistics.median(values[count]) / base - 1
            within = abs(change) <= limit
            failed |= not within
            print(f"{what}: {count} traces against {counts[0]}: {change:+.1%} ({'within' if within else 'NOT within'} {limit:.0%})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
