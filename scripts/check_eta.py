#!/usr/bin/env python3
"""Holds the time left that `air score` shows at half of its work against the time that it then took.

    scripts/check_eta.py --model DIR [--heads FILE|LIST] [--air FILE] [--seconds S] [--mix short,long,both] [-- further flags of air score]

Three mixes are made of examples/gsm8k_50.jsonl: its traces as they are, long ones of twelve solutions each, and both. Each is made
to last about S seconds (default 60) on this machine, which should have nothing else to do. Exit code 1 when an estimate is off by
more than 25 %.
"""
import argparse
import fcntl
import json
import os
import pty
import random
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from air_cli import ROOT, air_binary, clean_environment, split_arguments

ALLOWED = 0.25
LINE = re.compile(rb"(\d+) %.*?ETA (?:(\d+):)?(\d+):(\d\d)")


def mixes():
    """name: an endless generator of records."""
    sources = [json.loads(line) for line in (ROOT / "examples" / "gsm8k_50.jsonl").read_text(encoding="utf-8").splitlines()]
    draw = random.Random(1)

    def record(count):
        parts = [draw.choice(sources) for _ in range(count)]
        return {"prompt": parts[0]["prompt"], "response": "\n\n".join(part["response"] for part in parts)}

    def endless(*counts):
        while True:
            yield record(draw.choice(counts))
    return {"short": endless(1), "long": endless(12), "both": endless(1, 1, 1, 1, 12)}


def write(path, records, num_bytes):
    written = 0
    with open(path, "w", encoding="utf-8") as file:
        while written < num_bytes:
            written += file.write(json.dumps(next(records)) + "\n")


def follow(command):
    """(seconds after the start, share in %, seconds left) of each progress line, and the seconds of the whole."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=child, stdin=subprocess.DEVNULL, env=clean_environment())
    os.close(child)
    start, seen, text = time.monotonic(), [], b""
    while True:
        try:
            text += os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
        now = time.monotonic() - start
        for found in LINE.finditer(text):
            share, hours, minutes, seconds = (int(part or 0) for part in found.groups())
            seen.append((now, share, hours * 3600 + minutes * 60 + seconds))
        text = LINE.sub(b"", text)[-200:]  # of a line that has not come to its end
    os.close(parent)
    if process.wait() != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with exit code {process.returncode}")
    return seen, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--heads", default="none")
    parser.add_argument("--air", default=air_binary())
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--mix", default="short,long,both")
    own, more = split_arguments()
    given = parser.parse_args(own)
    worst = 0
    print("| mix | seconds | said at half | then took | off by |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.mix.split(","):
            path = Path(folder) / f"{name}.jsonl"
            command = [given.air, "score", "--model", given.model, "--heads", given.heads, path, "-o", path.with_suffix(".scored"), *more]
            write(path, mixes()[name], 100_000)
            quiet = [*command, "--quiet", "--dry-run"]
            table = subprocess.run(quiet, env=clean_environment(), check=True, capture_output=True, text=True).stdout
            seconds = float(dict(line.split("\t") for line in table.splitlines())["seconds"])
            write(path, mixes()[name], 100_000 * given.seconds / seconds)
            seen, whole = follow(command)
            half = next(((now, left) for now, share, left in seen if share >= 50), None)
            if half is None:
                sys.exit(f"{name}: no progress line at half of {whole:.0f} s; more --seconds. Seen: {seen}")
            took = whole - half[0]
            off = half[1] / took - 1
            worst = max(worst, abs(off))
            print(f"| {name} | {whole:.0f} | {half[1]} | {took:.0f} | {off:+.0%} |", flush=True)
    return int(worst > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
