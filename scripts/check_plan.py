#!/usr/bin/env python3
"""Holds `air score --plan` against the run that it foretells.

    scripts/check_plan.py --model DIR --heads FILE [--air FILE] DATASET... [-- further flags of air score]

For each dataset: the estimate, then the run; both on this machine, which should have nothing else to do. Exit code 1 when an
estimate is off by more than 15 %.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from air_cli import air_binary, clean_environment, split_arguments

ALLOWED = 0.15


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--heads", required=True)
    parser.add_argument("--air", default=air_binary())
    parser.add_argument("datasets", nargs="+")
    own, more = split_arguments()
    given = parser.parse_args(own)
    worst = 0
    print("| dataset | tokens, estimated | tokens | seconds, estimated | seconds | off by |\n| --- | --- | --- | --- | --- | --- |")
    for dataset in given.datasets:
        command = [given.air, "score", "--model", given.model, "--heads", given.heads, dataset, "--quiet", *more]
        run = lambda *flags: subprocess.run([*command, *flags], env=clean_environment(), check=True, capture_output=True, text=True).stdout
        tokens, seconds = run("--plan", "1").splitlines()[-1].split("\t")[2:]
        with tempfile.TemporaryDirectory() as folder:
            run("-o", f"{folder}/scored.jsonl")
            manifest = json.loads(Path(f"{folder}/scored.jsonl.manifest.json").read_text())
        off = float(seconds) / manifest["seconds"] - 1
        worst = max(worst, abs(off))
        print(f"| {Path(dataset).name} | {int(tokens):,} | {manifest['num_tokens']:,} | {float(seconds):.1f} | {manifest['seconds']:.1f} | {off:+.1%} |", flush=True)
    return int(worst > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
