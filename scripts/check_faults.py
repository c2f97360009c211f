#!/usr/bin/env python3
"""Makes system calls fail, stop short or end the program, one by one under every verb, and checks how the run ends. Needs strace.

    scripts/check_faults.py --model DIR [--traces FILE] [--trials N] [--seconds S] [--verbs score,select]
                            [--kinds error,kill,moment,short] [--calls mmap,brk] [--record FILE]

error   Each verb runs once under strace to count the calls of each kind, then again and again with one of them made to fail
        (strace -e inject). A run must end by itself, in time, with an exit code that fits (0, 3, 4 or 5, and 2 where a flag's
        file can't be read), say so in one "air: error:", and leave an output that is whole or none. What it kept must be good
        for --resume: that run must give the output of an undisturbed one, byte for byte.
kill    SIGKILL at each call that changes files (write, rename, link, unlink and kin). The same command, with --resume where the
        verb has it, must give the output of an undisturbed run and leave nothing else.
moment  SIGKILL at 20 moments at random, of verbs that resume: the same must hold.
short   Reads and writes that do less than they were asked for, or return EINTR, at random by seed (a preload that the build
        makes, tests/support/short_io.c): the run must not be disturbed at all.

Calls are counted in air-torch itself, which `air` becomes for some verbs: how many `air` makes
before depends on the moment. Verb "start" is that part. What libtorch does before main is left out.

With --record, trials that an earlier call finished are not repeated. Prints a JSON object: trials and
faults by verb, kind, call and error, and every fault found. Exit 1 when there are any.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import air_binary, clean_environment

# Errors that each call gives in life.
ERRORS = {
    "openat": ["EIO", "EMFILE", "EACCES"], "read": ["EIO", "EINTR"], "pread64": ["EIO", "EINTR"],
    "write": ["ENOSPC", "EIO", "EINTR"], "pwrite64": ["ENOSPC", "EINTR"], "mmap": ["ENOMEM"],
    "mprotect": ["ENOMEM", "EACCES"], "munmap": ["ENOMEM"], "madvise": ["ENOMEM", "EINVAL"],
    # The kernel's answer to a brk that fails is no error but the old end of the heap; from an error number glibc takes an address.
    "brk": [0],
    "fsync": ["EIO", "EINTR"], "fdatasync": ["EIO", "EINTR"], "rename": ["EIO"], "linkat": ["EIO", "EEXIST"], "unlink": ["EIO"],
    "close": ["EIO"], "ftruncate": ["EIO"], "flock": ["ENOLCK", "EINTR"], "clone3": ["EAGAIN"], "clone": ["EAGAIN"],
    "newfstatat": ["EIO", "EACCES"], "stat": ["EIO", "ENOMEM", "ESTALE"], "lstat": ["EIO"], "fchmod": ["EPERM"],
    "getrandom": ["EINTR"], "readlink": ["EIO"], "getcwd": ["ENOENT"], "getdents64": ["EIO"], "poll": ["EINTR"],
    "pipe2": ["EMFILE"], "lseek": ["EIO"],
}
CHANGES = ["write", "pwrite64", "rename", "linkat", "unlink", "ftruncate", "fsync", "fdatasync"]
ALLOWED = (0, 2, 3, 4, 5)
NO_ERROR = "no single error"
# The dynamic loader's, before main: how many reads come before it depends on the moment.
LOADER = b": error while loading shared libraries: "
# Of a worker (--device a,b) that could only write its error, by the process that made it.
OF_WORKER = "its process ended by the error that it wrote above"
SHORT_RUNS = 80  # of each verb
MOMENTS = 20
Trial = collections.namedtuple("Trial", "verb kind call error number")


def torch_program():
    """Beside air in a build, in libexec where it is installed."""
    folder = Path(air_binary()).resolve().parent
    return next(path for path in (folder / "air-torch", folder.parent / "libexec" / "air-torch") if path.exists())


class Runs:
    """The verbs on a small input, each in a folder of its own."""

    def __init__(self, model, folder, traces=None, timeout=60):
        self.folder = folder
        self.timeout = timeout
        self.out = folder / "out"
        if traces is None:
            traces = folder / "traces.jsonl"
            traces.write_text("".join(
                json.dumps({"id": i, "prompt": f"Say {i}.", "response": f"It is {i}.\n\nSo: {i}."}) + "\n"
                for i in range(6)))
        scored = folder / "scored.jsonl"
        score = ["score", "--model", model, "--heads", "1-5", traces, "--threads", "1", "--max-batch-tokens", "40"]
        subprocess.run([air_binary(), *map(str, score), "-o", scored], check=True, capture_output=True, env=self.environment())
        self.commands = {
            "score": [*score, "-o", self.out / "o.jsonl"],
            "devices": [*score, "--device", "cpu,cpu", "-o", self.out / "o.jsonl"],
            "find-heads": ["find-heads", "--model", model, "--lengths", "128", "--num-probes", "2", "--threads", "1",
                           "-o", self.out / "o.json"],
            "select": ["select", scored, "--top-k", "2", "-o", self.out / "o.jsonl"],
            "report": ["report", scored, "-o", self.out / "o.html"],
            "inspect": ["inspect", "--model", model, traces],
            "start": ["inspect", "--model", model, traces],
            "show": ["show", scored, "--first", "2"],
            "export-reference": ["export-reference", "--model", model, "--heads", "1-5", "-o", self.out / "reference"],
        }

    RESUMED = ("score", "devices", "find-heads")
    WITHOUT_TORCH = ("start", "select", "report", "show")

    @staticmethod
    def environment(**more):
        return clean_environment(AIR_DEVICE="cpu", OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="0",
                                 ONEDNN_PRIMITIVE_CACHE_CAPACITY="256", LRU_CACHE_CAPACITY="256",
                                 PYTORCH_ALLOC_CONF="expandable_segments:True",
                                 PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True", **more)

    def run(self, verb, *flags, under=(), keep=False, kill_after=None, program=None, **environment):
        if not keep:
            shutil.rmtree(self.out, ignore_errors=True)
            self.out.mkdir()
        command = [*under, program or air_binary(), *map(str, self.commands[verb]), *flags]
        if verb == "devices":  # --device is a flag
            environment["AIR_DEVICE"] = ""
        env = {name: value for name, value in self.environment().items() if name not in environment} | environment
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={name: value for name, value in env.items() if value != ""}, start_new_session=True)
        try:
            stdout, stderr = process.communicate(timeout=kill_after or self.timeout)
        except subprocess.TimeoutExpired:
            if kill_after is not None:  # its own workers are left to notice
                process.kill()
                stdout, stderr = process.communicate()
                return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
            os.killpg(process.pid, signal.SIGKILL)  # what strace traces would outlive it
            process.communicate()
            raise
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def strace(self, verb, *flags):
        return self.run(verb, under=["strace", "-f", "-o", self.folder / "trace", *flags],
                        program=air_binary() if verb in self.WITHOUT_TORCH else torch_program())

    def left(self):
        """What a run leaves, by name. Manifests have times in them: of those it counts that they are whole."""
        files = {str(path.relative_to(self.out)): path.read_bytes() for path in sorted(self.out.rglob("*")) if path.is_file()}
        for name in files:
            if name.endswith(".manifest.json"):
                files[name] = b"".join(b"%s\n" % key.encode() for key in json.loads(files[name]))
        return files

    def resume(self, verb):
        return self.run(verb, *(["--resume"] if verb in self.RESUMED else []), keep=True)

    def places(self, verb):
        """The calls that air's first thread makes: their kinds, each with its numbers among all of its kind, as strace counts
        them, which is by thread. main begins with a look at the standard streams, and "start" ends with execve."""
        result = self.strace(verb, "-y", "-e", "trace=" + ",".join([*ERRORS, "fcntl", "execve"]))
        if result.returncode != 0:
            raise SystemExit(f"{verb} fails by itself, or strace may not trace here:\n{result.stderr.decode()}")
        lines = (self.folder / "trace").read_text(errors="replace").splitlines()
        first = lines[0].split()[0]
        counts, places, began = collections.Counter(), [], False
        for line in lines:
            call = re.match(rf"{first} +(\w+)\(", line)
            if call is None:
                continue
            if call[1] == "execve" and began:
                break
            began = began or re.search(r"fcntl\(0\S*, F_GETFD", line) is not None
            counts[call[1]] += 1
            # A pipe that is not closed never ends: in life close() frees the descriptor whatever it says.
            is_pipe_end = call[1] == "close" and "<pipe:" in line
            if began and call[1] in ERRORS and not is_pipe_end:
                places.append((call[1], counts[call[1]]))
        return places

    def was_hit(self, result):
        return result.returncode < 0 or "(INJECTED)" in (self.folder / "trace").read_text(errors="replace")


def disorder(result):
    """What is wrong with how a run ended; None: nothing."""
    message = result.stderr.decode(errors="replace")
    if result.returncode not in ALLOWED:
        return f"exit code {result.returncode}"
    if "please report" in message or "terminate called" in message:
        return "an unexpected error"
    if result.returncode != 0 and message.count("air: error: ") != 1 + (OF_WORKER in message):
        return NO_ERROR
    return None


def difference(whole, left, may_be_left=lambda name: False):
    """How what is left differs from what an undisturbed run leaves."""
    for name, content in left.items():
        if may_be_left(name):
            continue
        if name not in whole:
            return f"{name} is left"
        if content != whole[name]:
            return f"{name} differs"
    return None


def missing(whole, left):
    return f"{min(set(whole) - set(left))} is missing" if set(whole) - set(left) else None


def check_error(runs, trial, whole):
    what = "error" if trial.error else "retval"
    result = runs.strace(trial.verb, "-e", f"trace={trial.call}",
                         "-e", f"inject={trial.call}:{what}={trial.error}:when={trial.number}")
    if not runs.was_hit(result) or LOADER in result.stderr:
        return "not hit", result
    fault = disorder(result)
    if fault == NO_ERROR and trial.call == "write":  # the message itself may be what could not be written
        fault = None
    if fault is None and result.returncode == 0:
        may_be_left = lambda name: b"can't be removed" in result.stderr and ".partial" in name
        fault = difference(whole["files"], runs.left(), may_be_left) or missing(whole["files"], runs.left())
        if fault is None and whole["stdout"] not in (None, result.stdout):
            fault = "stdout differs"
    elif fault is None:
        fault = difference(whole["files"], runs.left(), lambda name: ".partial" in name)
        kept = any(".partial" in path.name for path in runs.out.iterdir())
        if fault is None and kept:
            fault = fault_of_resumption(runs, trial, whole)
    return fault, result


def check_kill(runs, trial, whole):
    result = runs.strace(trial.verb, "-e", f"trace={trial.call}", "-e", f"inject={trial.call}:signal=KILL:when={trial.number}")
    if not runs.was_hit(result):
        return "not hit", result
    return fault_after_kill(runs, trial, whole), result


def check_moment(runs, trial, whole):
    result = runs.run(trial.verb, kill_after=random.Random(trial.number).uniform(0, whole["seconds"]))
    if result.returncode != -signal.SIGKILL:  # it was over before
        return "not hit", result
    return fault_after_kill(runs, trial, whole), result


def fault_after_kill(runs, trial, whole):
    """What is wrong with what a kill left, or with what its resumption makes of it."""
    left = {path.name for path in runs.out.iterdir()}
    if any(name not in whole["files"] and ".partial" not in name for name in left):
        return f"left after the kill: {sorted(left)}"
    return fault_of_resumption(runs, trial, whole)


def fault_of_resumption(runs, trial, whole):
    again = runs.resume(trial.verb)
    if again.returncode != 0:
        return f"resumed: exit code {again.returncode}: {again.stderr.decode(errors='replace')[-300:]}"
    return difference(whole["files"], runs.left()) or missing(whole["files"], runs.left())


def check_short(runs, trial, whole):
    result = runs.run(trial.verb, LD_PRELOAD=trial.call, SHORT_IO_SEED=str(trial.number))
    if result.returncode != 0:
        return f"exit code {result.returncode}", result
    fault = difference(whole["files"], runs.left()) or missing(whole["files"], runs.left())
    return fault or ("stdout differs" if whole["stdout"] not in (None, result.stdout) else None), result


CHECKS = {"error": check_error, "kill": check_kill, "moment": check_moment, "short": check_short}


def trials_of(runs, verb, kinds, short_io):
    places = runs.places(verb) if set(kinds) & {"error", "kill"} else []
    trials = []
    if "error" in kinds:
        trials += [Trial(verb, "error", call, error, number) for call, number in places for error in ERRORS[call]]
    if "kill" in kinds and verb != "export-reference":  # a kill leaves its unfinished folder (docs/reliability.md)
        trials += [Trial(verb, "kill", call, "KILL", number) for call, number in places if call in CHANGES]
    if verb == "start":
        return trials
    if "moment" in kinds and verb in runs.RESUMED:
        trials += [Trial(verb, "moment", "", "KILL", seed) for seed in range(MOMENTS)]
    if "short" in kinds:
        trials += [Trial(verb, "short", short_io, "EINTR", seed) for seed in range(SHORT_RUNS)]
    return trials


def undisturbed(runs, verb):
    """Files, stdout and seconds of a run; stdout is none where two runs differ, as inspect's free memory does."""
    results, seconds = [], []
    for _ in range(2):
        started = time.monotonic()
        results.append(runs.run(verb))
        seconds.append(time.monotonic() - started)
        if results[-1].returncode != 0:
            raise SystemExit(f"{verb} fails by itself:\n{results[-1].stderr.decode()}")
    stdout = results[0].stdout if results[0].stdout == results[1].stdout else None
    return {"files": runs.left(), "seconds": min(seconds), "stdout": stdout}


def run_trial(runs, trial, whole):
    place = trial._asdict() | ({"call": "read, write"} if trial.kind == "short" else {})
    try:
        fault, result = CHECKS[trial.kind](runs, trial, whole)
    except subprocess.TimeoutExpired:
        return place | {"fault": f"no end in {runs.timeout:g} s"}
    except json.JSONDecodeError:
        return place | {"fault": "half a manifest"}
    if fault is None or fault == "not hit":  # some places depend on the moment: fewer reads, another allocation
        return place | {"fault": None, "hit": fault is None}
    return place | {"fault": fault, "exit": result.returncode, "stderr": result.stderr.decode(errors="replace")[-300:]}


def table_of(outcomes):
    """{"score": {"error": {"openat EIO": "59 trials, 0 faults"}}}"""
    table = collections.defaultdict(lambda: collections.defaultdict(dict))
    counts = collections.Counter((o["verb"], o["kind"], f"{o['call']} {o['error']}") for o in outcomes if o.get("hit", True))
    faults = collections.Counter((o["verb"], o["kind"], f"{o['call']} {o['error']}") for o in outcomes if o["fault"])
    for (verb, kind, place), count in sorted(counts.items()):
        table[verb][kind][place] = f"{count} trials, {faults[verb, kind, place]} faults"
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a small model")
    parser.add_argument("--traces", type=Path, help="records to score; six of a few words unless it is given")
    parser.add_argument("--verbs", default="start,score,devices,find-heads,select,report,inspect,show,export-reference")
    parser.add_argument("--kinds", default="error,kill,moment,short")
    parser.add_argument("--calls", default=",".join(ERRORS), help="of the kinds error and kill, those of these calls")
    parser.add_argument("--trials", type=int, help="so many, drawn at random; all unless it is given")
    parser.add_argument("--timeout", type=float, default=60, help="a run that takes longer hangs; default: 60 s")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path, help="a file of outcomes, a line each: what is there is not tried again")
    parser.add_argument("--short-io", type=Path, default=Path(air_binary()).resolve().parent / "tests" / "libshort_io.so")
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    if shutil.which("strace") is None:
        raise SystemExit("no strace here")
    if "short" in kinds and not given.short_io.exists():
        raise SystemExit(f"no {given.short_io}: cmake --build build/release --target short_io")
    started = time.monotonic()
    outcomes = [json.loads(line) for line in given.record.read_text().splitlines()] if given.record and given.record.exists() else []
    done = {(o["verb"], o["kind"], o["call"], o["error"], o["number"]) for o in outcomes}
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(given.model).resolve(), Path(folder), given.traces and given.traces.resolve(), given.timeout)
        verbs = given.verbs.split(",")
        whole = {verb: undisturbed(runs, verb) for verb in verbs}
        trials = [trial for verb in verbs for trial in trials_of(runs, verb, kinds, str(given.short_io.resolve()))
                  if trial.kind not in ("error", "kill") or trial.call in given.calls.split(",")]
        random.Random(given.seed).shuffle(trials)
        for trial in trials[:given.trials]:
            place = trial._replace(call="read, write") if trial.kind == "short" else trial
            if tuple(place) in done:
                continue
            if time.monotonic() - started > given.seconds:
                break
            outcomes.append(run_trial(runs, trial, whole[trial.verb]))
            if given.record:
                with given.record.open("a") as file:
                    file.write(json.dumps(outcomes[-1]) + "\n")
    faults = [outcome for outcome in outcomes if outcome["fault"]]
    json.dump({"places": len(trials), "trials": collections.Counter(o["verb"] for o in outcomes),
               "not_hit": sum(not o.get("hit", True) for o in outcomes),
               "table": table_of(outcomes),
               "faults": faults}, sys.stdout, indent=1)
    print()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
