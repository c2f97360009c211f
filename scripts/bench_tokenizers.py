"""Tokenizer throughput on one core: `air inspect` as a whole process (reading, JSON, steps and writing included) against
`tokenizers` encoding the same texts in memory. In turn, --runs times; prints min / median / max and the ratios.

    python scripts/bench_tokenizers.py TRACES.jsonl FOLDER...
"""
import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

from air_cli import air_binary, clean_environment  # noqa: E402


def unpacked(folder, work):
    """The folder, with its tokenizer.json unpacked when it is gzipped."""
    copy = work / folder.name
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.safetensors"))
    packed = copy / "tokenizer.json.gz"
    if packed.exists():
        (copy / "tokenizer.json").write_bytes(gzip.decompress(packed.read_bytes()))
    return copy


def seconds_of(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=20, help="times that air reads the file: its start counts little then")
    parser.add_argument("--air", default=air_binary())
    args = parser.parse_args()
    texts = [f"{trace['prompt']}\n{trace['response']}" for trace in map(json.loads, open(args.traces, encoding="utf-8"))]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    spread = lambda values: f"{min(values):.1f} / {statistics.median(values):.1f} / {max(values):.1f}"
    with tempfile.TemporaryDirectory() as work:
        for original in args.folders:
            folder = unpacked(original, Path(work))
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            command = [args.air, "inspect", "--model", folder, "--chat-template", "none", *[args.traces] * args.repeat]
            rates = {"air": [], "tokenizers": []}
            for _ in range(args.runs):
                rates["air"].append(args.repeat * megabytes / seconds_of(lambda: subprocess.run(
                    command, check=True, stdout=subprocess.DEVNULL, env=clean_environment())))
                rates["tokenizers"].append(megabytes / seconds_of(lambda: [tokenizer.encode(text) for text in texts]))
            ratios = [a / b for a, b in zip(rates["air"], rates["tokenizers"])]
            print(f"{folder.name:24s} MB/s: air inspect {spread(rates['air']):22s} tokenizers {spread(rates['tokenizers']):18s} ratio {spread(ratios)}", flush=True)


if __name__ == "__main__":
    main()
