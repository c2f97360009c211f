#!/usr/bin/env python3
"""Scores with all GPUs of a host: a process for each, its share of the input by --shard, joined at the end by `air select`.

    scripts/score_all_gpus.py [--gpus 0,1,2,3] -o scored.jsonl -- --model DIR --heads heads.json traces.jsonl [FLAGS OF SCORE]

Each process sees one GPU (CUDA_VISIBLE_DEVICES). Shards are kept as scored.shard0of4.jsonl and so on; running the same command
again leaves finished shards alone and resumes the others (--resume). The joined file has the rows of all shards by
descending influence.

    --gpus LIST    indices or UUIDs as CUDA_VISIBLE_DEVICES takes them; default: that variable, else all that nvidia-smi lists
    --processes N  instead of GPUs: N processes with the device that the flags of score name (a machine of several sockets)
    --dry-run      prints the commands

Ctrl-C reaches all processes: each finishes its batch. Exit code: that of the first process that failed.
"""
import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from air_cli import air_binary, split_arguments


def say(text):
    print(f"score_all_gpus: {text}", file=sys.stderr, flush=True)


def visible_gpus():
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [name for name in listed.split(",") if name]
    try:
        result = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return result.stdout.split() if result.returncode == 0 else []


def shard_path(output, index, count):
    return output.with_name(f"{output.stem}.shard{index}of{count}{output.suffix}")


def is_finished(path):
    """The manifest comes after the scores, and OUT.partial goes after the manifest."""
    return path.exists() and Path(f"{path}.manifest.json").exists() and not Path(f"{path}.partial").exists()


def main():
    arguments, flags = split_arguments()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    devices = parser.add_mutually_exclusive_group()
    devices.add_argument("--gpus", help="0,1,2,3")
    devices.add_argument("--processes", type=int, help="this many processes instead of one for each GPU")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run nothing")
    parser.add_argument("--air", default=air_binary())
    given = parser.parse_args(arguments)
    if not flags:
        parser.error("no flags for air score after --")
    for name in ["-o", "--output", "--shard", "--resume"]:
        if any(flag == name or flag.startswith(name + "=") for flag in flags):
            parser.error(f"{name} is set by this script")
    gpus = [None] * given.processes if given.processes else given.gpus.split(",") if given.gpus else visible_gpus()
    if not gpus:
        say("error: no GPU is seen; --gpus names them, --processes N runs without")
        return 5

    count = len(gpus)
    shards = [shard_path(given.output, index, count) for index in range(count)]
    commands = [[given.air, "score", *flags, "--shard", f"{index}/{count}", "--resume", "-o", str(path)] for index, path in enumerate(shards)]
    if not given.processes:
        commands = [[*command, "--device", "cuda"] for command in commands]
    join = [given.air, "select", *map(str, shards), *(["--top-percent", "100"] if count == 1 else []), "-o", str(given.output)]
    if given.dry_run:
        for gpu, command in zip(gpus, commands):
            print((f"CUDA_VISIBLE_DEVICES={gpu} " if gpu is not None else "") + shlex.join(command))
        print(shlex.join(join))
        return 0

    running = []
    for gpu, command, path in zip(gpus, commands, shards):
        if is_finished(path):
            say(f"{path} is finished")
            continue
        environment = os.environ | ({"CUDA_VISIBLE_DEVICES": gpu} if gpu is not None else {})
        log = Path(f"{path}.log")
        with open(log, "ab") as file:
            running.append((path, log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment)))
        say(f"{path}: process {running[-1][2].pid}" + (f" on GPU {gpu}" if gpu is not None else "") + f", messages in {log}")
    # The processes hear Ctrl-C of a terminal themselves; what is sent to this one alone is passed on.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: [process.terminate() for _, _, process in running])
    code = 0
    for path, log, process in running:
        process.wait()
        if process.returncode != 0:
            say(f"error: {path}: exit code {process.returncode}: {' / '.join(log.read_text().splitlines()[-2:])}")
            code = code or (process.returncode if process.returncode > 0 else 1)
    if code != 0:
        say("the same command resumes what is missing")
        return code
    result = subprocess.run(join)
    if result.returncode == 0:
        manifests = [json.loads(Path(f"{path}.manifest.json").read_text()) for path in shards]
        say(f"wrote {given.output}: {sum(m['num_traces'] for m in manifests)} traces of {count} shards")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
