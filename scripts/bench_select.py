"""The benchmark of `air select` and `air report`: a million generated scored rows, no model needed.

    python3 scripts/bench_select.py [--rows 1000000] [--runs 3] [-o FOLDER]

Generates ROWS rows of about a kilobyte, as `air score` writes them for short traces (steps that tile the response, lengths
and scores spread as on GSM8K), runs each command as a process of its own, and prints seconds by the clock (min / median / max), the
least processor seconds, and peak resident memory. Exits with 1 when a selection is not made of as many rows of the input as
it should be (not looked at for exports and joining), when every run of a command takes 30 s or more, or when one takes 1 GiB. Writes select.txt into FOLDER.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import air_binary, clean_environment

MOST_SECONDS, MOST_BYTES = 30, 2**30
NUM_SOURCES = 7
REPORT_ROWS, REPORT_BYTES = 100_000, 1_000_000
WORDS = ("the a of and to in he she they each has have sold buys gives more than twice half total number apples boxes dollars hours miles "
         "per day week year first then so left how many much cost costs paid earns makes needs went there was were with from for").split()


def sentences(rng, count):
    made = []
    for _ in range(count):
        words = [rng.choice(WORDS) for _ in range(rng.randrange(6, 14))]
        a, b = rng.randrange(2, 100), rng.randrange(2, 100)
        made.append(f"{' '.join(words).capitalize()} {a} + {b} = {a + b}.\n")
    return made


def num_questions(count):
    """A tenth of the prompts come twice."""
    return count - count // 10


def write_rows(path, count):
    rng = random.Random(0)
    steps_of = sentences(rng, 5000)
    with open(path, "w", encoding="utf-8") as file:
        for row in range(count):
            end, tokens, nats, extra, steps, text = 0, 0, 0.0, 0.0, [], ""
            for _ in range(rng.randrange(2, 6)):
                step = rng.choice(steps_of)
                n, base = len(step) // 4, rng.lognormvariate(-0.5, 0.5)
                more = base * rng.gauss(0.15, 0.2)
                steps.append(f'{{"begin":{end},"end":{end + len(step)},"num_tokens":{n},"base_nll":{base!r},"ref_nll":{base + more!r},'
                             f'"entropy":{base * 0.9!r},"influence":{more / max(base, 0.05)!r},"divergence":{more!r},"weight":1.0}}')
                end, tokens, nats, extra, text = end + len(step), tokens + n, nats + n * base, extra + n * more, text + step
            base, more = nats / tokens, extra / tokens
            question = row % num_questions(count)
            prompt = f"Question {question}: {steps_of[question % len(steps_of)][:-1]}"
            file.write(f'{{"id":"r{row}","source":"s{row % NUM_SOURCES}","prompt":{json.dumps(prompt)},"response":{json.dumps(text)},'
                       f'"air":{{"schema":"air.score/1","line":{row + 1},"influence":{more / max(base, 0.05)!r},"divergence":{more!r},'
                       f'"base_nll":{base!r},"ref_nll":{base + more!r},"entropy":{base * 0.9!r},"num_tokens":{tokens},'
                       f'"num_prompt_tokens":{len(prompt) // 4},"num_steps":{len(steps)},"steps":[{",".join(steps)}]}}}}\n')


def run(command):
    """(seconds, processor seconds, peak resident bytes) of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=clean_environment())
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)}\n{message.decode()}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def check_subset(subset, rows_of, expected):
    """As many lines as expected, each a line of the input, none twice."""
    with open(subset, "rb") as file:
        kept = [hash(line) for line in file]
    known = set()
    with open(rows_of, "rb") as file:
        known.update(hash(line) for line in file)
    if len(kept) != expected or len(set(kept)) != expected or not known.issuperset(kept):
        sys.exit(f"{subset}: {len(kept)} rows, not {expected} of the input's own")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--air", default=air_binary())
    parser.add_argument("-o", "--output", type=Path, help="folder for select.txt")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows, subset, fewer, page = (str(Path(folder) / name) for name in ("rows.jsonl", "subset.jsonl", "fewer.jsonl", "report.html"))
        write_rows(rows, args.rows)
        size = os.path.getsize(rows)
        lines = [f"{args.rows} rows of {size / args.rows:.0f} bytes in the mean, {size / 1e9:.2f} GB; {args.runs} runs; min / median / max", ""]
        tenth_of = lambda count: -(-count // 10)
        in_bins = sum(tenth_of((args.rows * (i + 1) + 9) // 10 - (args.rows * i + 9) // 10) for i in range(10))
        in_sources = sum(tenth_of(len(range(i, args.rows, NUM_SOURCES))) for i in range(NUM_SOURCES))
        failed = False

        def bench(name, flags, inputs, expected=None):
            nonlocal failed
            results = [run([args.air, "select", *inputs, *flags, "-o", subset]) for _ in range(args.runs)]
            if expected is not None:
                check_subset(subset, rows, expected)
            seconds, cpu, peaks = zip(*results)
            failed = failed or min(seconds) >= MOST_SECONDS or max(peaks) >= MOST_BYTES
            lines.append(f"{name:62s} {min(seconds):5.1f} / {statistics.median(seconds):5.1f} / {max(seconds):5.1f} s   "
                         f"processor {min(cpu):5.1f} s   peak {max(peaks) / 2**20:4.0f} MiB")
            print(lines[-1], flush=True)

        for flags, expected in ((["--top-percent", "10"], tenth_of(args.rows)),
                                (["--top-percent", "10", "--stratify-by", "base_nll", "--bins", "10"], in_bins),
                                (["--top-percent", "10", "--group-by", "source"], in_sources),
                                (["--top-percent", "10", "--dedup", "prompt"], tenth_of(num_questions(args.rows))),
                                (["--top-percent", "10", "--format", "ms-swift"], None), (["--top-percent", "100"], args.rows)):
            bench("select " + " ".join(flags), flags, [rows], expected)
        # two shards, each with ranks of its own, joined
        halves = [str(Path(folder) / f"s{i}.jsonl") for i in (0, 1)]
        subprocess.run(["split", "-n", "r/2", "--numeric-suffixes=0", "-a", "1", "--additional-suffix=.jsonl", rows, folder + "/u"], check=True)
        for i, half in enumerate(halves):
            with open(f"{folder}/u{i}.jsonl", encoding="utf-8") as file, open(half, "w", encoding="utf-8") as out:
                for rank, line in enumerate(file, 1):
                    out.write(line.replace('"air.score/1",', f'"air.score/1","rank":{rank},', 1))
            os.remove(f"{folder}/u{i}.jsonl")
        bench("select s0.jsonl s1.jsonl", [], halves)

        with open(rows, "rb") as file, open(fewer, "wb") as out:
            for _, line in zip(range(REPORT_ROWS), file):
                out.write(line)
        results = [run([args.air, "report", fewer, "-o", page]) for _ in range(args.runs)]
        size = os.path.getsize(page)
        lines += ["", f"report of {min(args.rows, REPORT_ROWS)} traces: {size} bytes, {min(r[0] for r in results):.1f} s, "
                      f"processor {min(r[1] for r in results):.1f} s, peak {max(r[2] for r in results) / 2**20:.0f} MiB"]
        failed = failed or size > REPORT_BYTES
        print("\n".join([lines[0], lines[-1]]))
        if args.output:
            args.output.mkdir(parents=True, exist_ok=True)
            (args.output / "select.txt").write_text("\n".join(lines) + "\n")
        sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
