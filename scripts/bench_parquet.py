"""The benchmark of Parquet in and out against the pipe through pandas: generated scored rows of messages, no model needed.

    .venv/bin/python scripts/bench_parquet.py [--rows 100000] [--runs 3] [-o FOLDER]

Each way is timed as a whole, in turn with the other: `air select` reads the rows, keeps all, and writes them. Prints seconds
by the clock (min / median / max) and the peak resident memory of all its processes together. Exits with 1 when the two ways
do not give the same rows. Writes parquet.txt into FOLDER.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import bench_select
import pyarrow as pa
import pyarrow.parquet as pq
from air_cli import air_binary, clean_environment

READ = ("import pandas, sys; pandas.read_parquet(sys.argv[1]).to_json(sys.stdout, orient='records', lines=True, force_ascii=False, "
        "double_precision=15)")
WRITE = "import pandas, sys; pandas.read_json(sys.argv[1], lines=True).to_parquet(sys.argv[2], compression='zstd')"


def make_rows(folder, count):
    """rows.jsonl and rows.parquet: conversations of two turns with their scores."""
    flat, lines, table = folder / "flat.jsonl", folder / "rows.jsonl", folder / "rows.parquet"
    bench_select.write_rows(flat, count)
    writer, batch = None, []
    with open(flat, encoding="utf-8") as source, open(lines, "w", encoding="utf-8") as out:
        for line in source:
            row = json.loads(line)
            turns = [{"role": "user", "content": row.pop("prompt")}, {"role": "assistant", "content": row.pop("response")}]
            air = row.pop("air")
            air = {"schema": air.pop("schema"), "rank": int(row["id"][1:]) + 1, **air}
            row = {"id": row.pop("id"), "messages": turns, **row, "air": air}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            batch.append(row)
            if len(batch) == 10_000 or int(row["id"][1:]) == count - 1:
                part = pa.Table.from_pylist(batch)
                writer = writer or pq.ParquetWriter(table, part.schema)
                writer.write_table(part)
                batch = []
    writer.close()
    return lines, table


def descendants(pid):
    """A process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in children for below in descendants(int(child)))]


def resident(pid):
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def measure(command):
    """Seconds, and the most memory that the processes of a shell command had at one time (looked at every 10 ms)."""
    start, most = time.perf_counter(), 0
    process = subprocess.Popen(["bash", "-o", "pipefail", "-c", command], env=clean_environment(), stderr=subprocess.DEVNULL)
    done = threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.01):
            most = max(most, sum(map(resident, descendants(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code != 0:
        sys.exit(f"exit code {code}: {command}")
    return time.perf_counter() - start, most


def ids_of(path):
    if path.suffix == ".parquet":
        return pq.read_table(path, columns=["id"])["id"].to_pylist()
    with open(path, encoding="utf-8") as file:
        return [json.loads(line)["id"] for line in file]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    select = f"'{air_binary()}' select --top-percent 100 --quiet"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, table = make_rows(folder, given.rows)
        out = {way: folder / file for way, file in (("in: air", "a.jsonl"), ("in: pandas | air", "b.jsonl"),
                                                    ("out: air", "a.parquet"), ("out: air, then pandas", "b.parquet"))}
        commands = {
            "in: air": f"{select} {table} -o {out['in: air']}",
            "in: pandas | air": f'{sys.executable} -c "{READ}" {table} | {select} - -o {out["in: pandas | air"]}',
            "out: air": f"{select} {lines} -o {out['out: air']}",
            "out: air, then pandas": f'{select} {lines} -o {folder}/c.jsonl && {sys.executable} -c "{WRITE}" {folder}/c.jsonl {out["out: air, then pandas"]}',
        }
        measured = {way: [] for way in commands}
        for _ in range(given.runs):
            for way, command in commands.items():
                measured[way].append(measure(command))
        report = [f"{given.rows} rows of messages with scores, {lines.stat().st_size / 1e6:.0f} MB of JSON, {table.stat().st_size / 1e6:.0f} MB "
                  f"of Parquet; {given.runs} runs in turn", "way                     seconds: min / median / max     peak memory, MiB"]
        for way, runs in measured.items():
            seconds = sorted(each[0] for each in runs)
            report.append(f"{way:24}{seconds[0]:8.2f} /{statistics.median(seconds):6.2f} /{seconds[-1]:6.2f}        {max(each[1] for each in runs) / 2**20:8.0f}")
        sizes = ", ".join(f"{way}: {out[way].stat().st_size / 1e6:.0f} MB" for way in ("out: air", "out: air, then pandas"))
        report.append(f"written, {sizes}")
        text = "\n".join(report) + "\n"
        print(text, end="")
        if given.output:
            given.output.mkdir(parents=True, exist_ok=True)
            (given.output / "parquet.txt").write_text(text)
        return len({tuple(ids_of(path)) for path in out.values()}) != 1


if __name__ == "__main__":
    sys.exit(main())
