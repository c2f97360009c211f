#!/usr/bin/env python3
"""Makes system calls fail one by one under every verb, and checks how the run ends. Needs strace.

    scripts/check_faults.py --model DIR [--trials N] [--seconds S] [--verbs score,select]

Each verb runs once under strace to count the calls of each kind, then again and again with one of them made to fail
(strace -e inject). A run must end by itself, in time, with an exit code that fits (0, 3, 4 or 5, and 2 where a flag's file
can't be read), say so in one "air: error:", and leave an output that is whole or none. What libraries do before main is left
out. Prints a JSON object: trials by verb, and every fault found. Exit 1 when there are any.
"""
import argparse
import collections
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import air_binary, clean_environment

# Errors that each call gives in life. Reads and writes are tried with fewer bytes too.
ERRORS = {
    "openat": ["EIO", "EMFILE", "EACCES"], "read": ["EIO", "EINTR"], "pread64": ["EIO", "EINTR"],
    "write": ["ENOSPC", "EIO", "EINTR"], "pwrite64": ["ENOSPC", "EINTR"], "mmap": ["ENOMEM"],
    # The kernel's answer to a brk that fails is no error but the old end of the heap; from an error number glibc takes an address.
    "brk": [0],
    "fsync": ["EIO", "EINTR"], "fdatasync": ["EIO", "EINTR"], "rename": ["EIO"], "linkat": ["EIO", "EEXIST"], "unlink": ["EIO"],
    "close": ["EIO"], "ftruncate": ["EIO"], "flock": ["ENOLCK", "EINTR"], "clone3": ["EAGAIN"], "clone": ["EAGAIN"],
    "newfstatat": ["EIO", "EACCES"], "fchmod": ["EPERM"], "getrandom": ["EINTR"],
}
ALLOWED = (0, 2, 3, 4, 5)
# libtorch's cpuinfo, which reads these when the first product is computed, crashes when it can't.
NOT_OURS = "/sys/devices/system/"
TIMEOUT = 60


class Trials:
    """The verbs on a small input, each in a folder of its own."""

    def __init__(self, model, folder):
        self.folder = folder
        self.traces = folder / "traces.jsonl"
        self.traces.write_text("".join(
            json.dumps({"id": i, "prompt": f"Say {i}.", "response": f"It is {i}.\n\nSo: {i}."}) + "\n" for i in range(6)))
        self.out = folder / "out"
        score = ["score", "--model", model, "--heads", "1-5", self.traces, "--threads", "1"]
        scored = folder / "scored.jsonl"
        subprocess.run([air_binary(), *map(str, score), "-o", scored], check=True, capture_output=True, env=self.environment())
        self.commands = {
            "score": [*score, "-o", self.out / "o.jsonl"],
            "find-heads": ["find-heads", "--model", model, "--lengths", "128", "--num-probes", "2", "--threads", "1",
                           "-o", self.out / "o.json"],
            "select": ["select", scored, "--top-k", "2", "-o", self.out / "o.jsonl"],
            "report": ["report", scored, "-o", self.out / "o.html"],
            "inspect": ["inspect", "--model", model, self.traces],
            "export-reference": ["export-reference", "--model", model, "--heads", "1-5", "-o", self.out / "reference"],
        }

    @staticmethod
    def environment():
        return clean_environment(AIR_DEVICE="cpu", OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0",
                                 ONEDNN_PRIMITIVE_CACHE_CAPACITY="256", LRU_CACHE_CAPACITY="256",
                                 PYTORCH_ALLOC_CONF="expandable_segments:True", PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True")

    def run(self, verb, *strace):
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        return subprocess.run(["strace", "-f", "-o", self.folder / "trace", *strace, air_binary(), *map(str, self.commands[verb])],
                              stdin=subprocess.DEVNULL, capture_output=True, env=self.environment(), timeout=TIMEOUT)

    def whole(self):
        """What a run leaves, by name; manifests and heads files have times in them."""
        return {str(path.relative_to(self.out)): path.read_bytes() for path in sorted(self.out.rglob("*")) if path.is_file()}

    def places(self, verb):
        """The calls that air and air-torch make: their kinds, each with its number among all of its kind in its thread, as
        strace counts. What runs a program's libraries in comes before its main, which begins with a look at the standard streams."""
        result = self.run(verb, "-y", "-e", "trace=" + ",".join([*ERRORS, "fcntl", "execve"]))
        if result.returncode != 0:
            raise SystemExit(f"{verb} fails by itself, or strace may not trace here:\n{result.stderr.decode()}")
        counts, places, before_main = collections.Counter(), {}, set()
        in_main = collections.defaultdict(lambda: True)
        for line in (self.folder / "trace").read_text(errors="replace").splitlines():
            call = re.match(r"(\d+) +(\w+)\(", line)
            if call is None:
                continue
            thread, name = call.groups()
            if name == "execve":
                in_main[thread] = False
            elif re.search(r"fcntl\(0\S*, F_GETFD", line):
                in_main[thread] = True
            counts[thread, name] += 1
            place = (name, counts[thread, name])
            if not in_main[thread]:
                before_main.add(place)
            elif name in ERRORS and NOT_OURS not in line:
                places[place] = None
        return [place for place in places if place not in before_main]  # it would fail in each thread that comes to it


def fault_of(result, whole, left):
    """What is wrong with how a run ended; None: nothing."""
    message = result.stderr.decode(errors="replace")
    if result.returncode not in ALLOWED:
        return f"exit code {result.returncode}"
    if "please report" in message or "terminate called" in message:
        return "an unexpected error"
    if result.returncode != 0 and message.count("air: error: ") != 1:
        return "no single error"
    for name, content in left.items():
        if name.endswith(".partial") and result.returncode != 0:
            continue
        if ".tmp." in name:
            return f"{name} is left"
        if name not in whole:
            if result.returncode == 0 and "can't be removed" in message:
                continue
            return f"{name} is left"
        if not name.endswith((".json", ".html")) and content != whole[name]:
            return f"{name} differs"
        if not content:
            return f"{name} is empty"
    if result.returncode == 0 and not set(whole) <= set(left):
        return "exit 0 without output"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a small model")
    parser.add_argument("--verbs", default="score,find-heads,select,report,inspect,export-reference")
    parser.add_argument("--trials", type=int, help="so many, drawn at random; all unless it is given")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if shutil.which("strace") is None:
        raise SystemExit("no strace here")
    draw, started = random.Random(given.seed), time.monotonic()
    faults, counts = [], {}
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(given.model).resolve(), Path(folder))
        places = []
        whole = {}
        for verb in given.verbs.split(","):
            places += [(verb, call, error, number) for call, number in trials.places(verb) for error in ERRORS[call]]
            whole[verb] = trials.whole()
            counts[verb] = 0
        draw.shuffle(places)
        for verb, call, error, number in places[:given.trials]:
            if time.monotonic() - started > given.seconds:
                break
            counts[verb] += 1
            place = {"verb": verb, "call": call, "error": error, "number": number}
            try:
                result = trials.run(verb, "-e", f"trace={call}", "-e", f"inject={call}:{'error' if error else 'retval'}={error}:when={number}")
            except subprocess.TimeoutExpired:
                faults.append(place | {"fault": f"no end in {TIMEOUT} s"})
                continue
            fault = fault_of(result, whole[verb], trials.whole())
            if fault is not None:
                faults.append(place | {"fault": fault, "exit": result.returncode, "stderr": result.stderr.decode(errors="replace")[-300:]})
    json.dump({"trials": counts, "places": len(places), "faults": faults}, sys.stdout, indent=1)
    print()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
