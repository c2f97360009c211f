#!/usr/bin/env python3
"""What sharing scoring out costs: two processes against one, and Ray and datatrove by row.

    scripts/bench_workers.py --model DIR --heads FILE [--rounds 3] [--skip-engines] [-o FILE] TRACES

On a machine with nothing else to do and two free cores:
- one process of one thread against two of one thread each (`--shard I/2 --shard-by size`), over the same records: scoring alone, as
  the manifests say it, of the two the longer; the rounds in turn, medians. Exit code 1 below a ratio of 1.8.
- seconds a row that Ray Data and datatrove add to the process of `air score --stream` that does their work: with a program in its place
  that answers at once.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import ROOT, air_binary, clean_environment

LEAST_RATIO = 1.8
ENGINE_ROWS = 20_000
# Answers at once: what is left is the engine's.
ECHO = r'''#!/usr/bin/env python3
import sys
for n, line in enumerate(sys.stdin, 1):
    print(line.rstrip()[:-1] + ',"air":{"schema":"air.score/1","line":%d,"influence":0.5,"num_tokens":3,"steps":[]}}' % n, flush=True)
'''


def score(given, num_workers, folder):
    """Seconds of the slowest of so many processes that share the records."""
    outs = [f"{folder}/scored{i}.jsonl" for i in range(num_workers)]
    workers = [subprocess.Popen([given.air, "score", "--model", given.model, "--heads", given.heads, given.traces, "--threads", "1",
                                 "--shard", f"{i}/{num_workers}", "--shard-by", "size", "-o", out, "--quiet"], env=clean_environment())
               for i, out in enumerate(outs)]
    assert all([worker.wait() == 0 for worker in workers])
    return max(json.loads(Path(out + ".manifest.json").read_text())["seconds"] for out in outs)


def two_workers(given):
    one, two = [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            one.append(score(given, 1, folder))
            two.append(score(given, 2, folder))
    ratio = statistics.median(one) / statistics.median(two)
    text = lambda times: ", ".join(f"{seconds:.1f}" for seconds in sorted(times))
    return ratio, [f"one process of one thread: {text(one)} s; two: {text(two)} s; ratio of the medians {ratio:.2f}"]


def stream_alone(program, rows):
    import air_stream
    with air_stream.Stream("none", "none", program=program) as stream:
        stream.score(rows[:10])
        start = time.perf_counter()
        for begin in range(0, len(rows), 256):
            stream.score(rows[begin:begin + 256])
        return time.perf_counter() - start


def by_ray(program, rows):
    import ray
    import air_ray
    os.environ["PYTHONPATH"] = str(ROOT / "integrations")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    dataset = ray.data.from_items(rows, override_num_blocks=20).materialize()
    run = lambda: air_ray.score(dataset, "none", "none", program=program).materialize().count()
    run()
    start = time.perf_counter()
    assert run() == len(rows)
    seconds = time.perf_counter() - start
    ray.shutdown()
    return seconds


def by_datatrove(program, rows, folder):
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from air_datatrove import AirScorer
    Path(f"{folder}/in").mkdir()
    Path(f"{folder}/in/a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    start = time.perf_counter()
    LocalPipelineExecutor([JsonlReader(f"{folder}/in", text_key="response"), AirScorer("none", "none", text_key="response", program=program),
                           JsonlWriter(f"{folder}/out")], logging_dir=f"{folder}/logs").run()
    return time.perf_counter() - start


def engines():
    sys.path.insert(0, str(ROOT / "integrations"))
    rows = [{"id": str(i), "prompt": f"What is twice {i}?", "response": "Twice that. " * 40} for i in range(ENGINE_ROWS)]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/echo"
        Path(program).write_text(ECHO)
        Path(program).chmod(0o755)
        alone = stream_alone(program, rows)
        lines.append(f"the stream alone, from Python: {1e6 * alone / len(rows):.0f} µs a row")
        for name, work in (("Ray Data", lambda: by_ray(program, rows)), ("datatrove, reading and writing included", lambda: by_datatrove(program, rows, folder))):
            try:
                seconds = work()
            except ImportError as error:
                lines.append(f"{name}: not measured ({error})")
                continue
            lines.append(f"{name}: {1e6 * (seconds - alone) / len(rows):.0f} µs a row on top of it ({len(rows)} rows, starting included)")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--heads", default="none")
    parser.add_argument("--air", default=air_binary())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip-engines", action="store_true")
    parser.add_argument("--skip-workers", action="store_true")
    parser.add_argument("-o", "--output", type=Path, help="file for the lines")
    parser.add_argument("traces", nargs="?")
    given = parser.parse_args()
    lines, ratio = [], LEAST_RATIO
    if not given.skip_workers:
        if not given.model or not given.traces:
            parser.error("--model and TRACES, or --skip-workers")
        ratio, lines = two_workers(given)
    if not given.skip_engines:
        lines += engines()
    print("\n".join(lines))
    if given.output:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(ratio < LEAST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
