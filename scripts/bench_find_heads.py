#!/usr/bin/env python3
"""Time and peak memory of `air find-heads` by the length of its probes, as a table in Markdown.

    scripts/bench_find_heads.py --model DIR [--lengths 2048,8192,32768] [--num-probes 1] [--runs 1] [--threads N]

Each figure comes from a process of its own; seconds are those of the whole process. The first row is a run on the shortest
probes: its memory is nearly all weights and program. What the others take beyond it, per token of a probe, stands in the last
column: the same in every row where memory is linear. Lengths above the model's context are run all the same
(--beyond-context), and a run of which no probe is answered, an error after all its work, counts.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import air_binary, clean_environment

MIB = 2**20
NONE_ANSWERED = "answers none of the"


def run(given, length):
    """(seconds, peak memory in bytes, number of probes answered) of one process."""
    command = [given.air, "find-heads", "--model", given.model, "--probes", given.probes, "--lengths", length, "--num-probes",
               given.num_probes, "--threads", given.threads, "--beyond-context", "--progress", "never", "-o", "-"]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as messages:
        start = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=messages,
                                   env=clean_environment())
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        messages.seek(0)
        text = messages.read()
    answered = re.search(r"(\d+) of \d+ probes answered", text)
    if answered is None and NONE_ANSWERED not in text:
        sys.exit(f"air find-heads --lengths {length} ended with exit code {process.returncode}:\n{text}")
    return seconds, usage.ru_maxrss * 1024, int(answered[1]) if answered else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--lengths", default="2048,8192,32768", help="in tokens")
    parser.add_argument("--shortest", type=int, default=256, help="tokens of the run that memory is compared with")
    parser.add_argument("--probes", default="needle")
    parser.add_argument("--num-probes", type=int, default=1, help="of each length")
    parser.add_argument("--runs", type=int, default=1, help="of each length; min / median / max are printed")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--air", default=air_binary())
    given = parser.parse_args()

    print("| tokens | answered | seconds, whole process | peak memory, MiB | beyond the shortest, MiB | KiB a token |")
    print("| --- | --- | --- | --- | --- | --- |")
    base = None
    for length in [given.shortest, *map(int, given.lengths.split(","))]:
        samples = [run(given, length) for _ in range(given.runs)]
        seconds = sorted(sample[0] for sample in samples)
        memory = statistics.median(sample[1] for sample in samples)
        base = base or memory
        times = " / ".join(f"{value:.1f}" for value in ([seconds[0], statistics.median(seconds), seconds[-1]]
                                                        if given.runs > 1 else seconds))
        beyond = ["–", "–"] if length == given.shortest else [
            f"{(memory - base) / MIB:.0f}", f"{(memory - base) / 1024 / (length - given.shortest):.1f}"]
        print("|", " | ".join([f"{length:,}", f"{samples[0][2]} of {given.num_probes}", times, f"{memory / MIB:.0f}", *beyond]),
              "|", flush=True)


if __name__ == "__main__":
    main()
