"""The benchmark of record: air against what a user would write with transformers, on the same records in one go.

    scripts/bench.sh --model DIR --heads LIST GSM8K.jsonl:40 LONG.jsonl:10 -o FOLDER [--runs 5]

FILE:N takes the first N traces of a file that are no longer than --max-length. The contenders run in turn (transformers one
trace at a time, air, and, as often as --padded-runs says, transformers in padded batches of 8 sorted by length); each is a
process of its own, timed from its first batch to its last loss, and all must find the same losses. Writes README.md and
raw.csv into FOLDER.
"""
import argparse
import csv
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from air_cli import ROOT, air_binary, clean_environment


def matrix_product_gflops(config, threads):
    """Rates of the MLP's product with 2,048 rows, float32: oneDNN's (which air uses), and that of torch.nn.functional.linear."""
    import torch
    torch.set_num_threads(threads)
    x, w = torch.randn(2048, config["hidden_size"]), torch.randn(config["intermediate_size"], config["hidden_size"])
    products = (lambda: torch.ops.mkldnn._linear_pointwise(x, w, None, "none", [], ""), lambda: torch.nn.functional.linear(x, w))
    rates = []
    with torch.inference_mode():
        for product in products:
            product()
            seconds = []
            for _ in range(30):
                start = time.perf_counter()
                product()
                seconds.append(time.perf_counter() - start)
            rates.append(2 * x.shape[0] * x.shape[1] * w.shape[0] / statistics.median(seconds) / 1e9)
    return rates


def visible_pairs(n, window):
    """Pairs of a query and a key that it sees, in a sequence of n."""
    return n * (n + 1) // 2 if not window or n <= window else window * (window + 1) // 2 + (n - window) * window


def needed_flops(config, traces, heads):
    """Multiply-adds, counted twice, of what scoring needs: layers below the first masked one once, the others twice, the
    head for response rows of both models; attention counted by the keys that are visible."""
    hidden, inner, size = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    layer = 2 * (hidden * (q + 2 * kv) + q * hidden + 3 * hidden * inner)
    layers, first = config["num_hidden_layers"], min(int(head.split("-")[0]) for head in heads.split(","))
    kinds = config.get("layer_types") or ["full_attention"] * layers
    flops = 0
    for trace in traces:
        n, response = len(trace["ids"]) - 1, len(trace["ids"]) - trace["response_begin"]
        for index, kind in enumerate(kinds):
            pairs = visible_pairs(n, config["sliding_window"] if kind == "sliding_attention" else 0)
            flops += (1 if index < first else 2) * (n * layer + 4 * q * pairs)
        flops += 2 * response * 2 * hidden * config["vocab_size"]
    return flops


def take(sources, inspect, max_length):
    """(line, inspected trace) of the first N traces of each FILE:N that are not too long."""
    taken = []
    for source in sources:
        name, _, count = source.rpartition(":")
        lines = open(name, encoding="utf-8").readlines()
        traces = map(json.loads, inspect(name))
        fitting = [(line, trace) for line, trace in zip(lines, traces) if len(trace["ids"]) <= max_length]
        assert len(fitting) >= int(count), f"{name} has only {len(fitting)} such traces"
        taken += fitting[:int(count)]
    return taken


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=clean_environment()).stdout


def score_by_transformers(model, inspected, heads, threads, batch_size=1):
    return json.loads(run([sys.executable, str(ROOT / "scripts/bench_transformers.py"), str(model), str(inspected), heads,
                           "--threads", str(threads), "--batch-size", str(batch_size)]))


def score_by_air(binary, model, traces, heads, threads, scored):
    """The manifest of a run, and the sums of its losses."""
    run([binary, "score", "-q", "--model", str(model), "--heads", heads, "--threads", str(threads), "--device", "cpu",
         str(traces), "-o", str(scored)])
    result = json.loads(Path(f"{scored}.manifest.json").read_text())
    scores = [json.loads(line)["air"] for line in open(scored, encoding="utf-8")]
    for name in ("base_nll", "ref_nll"):
        result[name + "_sum"] = sum(score[name] * score["num_tokens"] for score in scores)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", metavar="FILE:N")
    parser.add_argument("--model", required=True)
    parser.add_argument("--heads", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--padded-runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-length", type=int, default=2048)
    parser.add_argument("--air", default=air_binary())
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    config = json.loads((Path(args.model) / "config.json").read_text())
    taken = take(args.traces, lambda name: run([args.air, "inspect", "--model", args.model, name]).splitlines(), args.max_length)
    traces = [trace for _, trace in taken]
    (work / "traces.jsonl").write_text("".join(line for line, _ in taken), encoding="utf-8")
    (work / "inspected.jsonl").write_text("".join(json.dumps(trace) + "\n" for trace in traces), encoding="utf-8")

    def transformers(batch_size):
        return score_by_transformers(args.model, work / "inspected.jsonl", args.heads, args.threads, batch_size)

    def air():
        return score_by_air(args.air, args.model, work / "traces.jsonl", args.heads, args.threads, work / "scored.jsonl")

    # Full logits, their log-softmax and the float32 copy that cross_entropy reads: what the padded baseline needs at once.
    padded_gib = 3 * 8 * max(len(trace["ids"]) for trace in traces) * config["vocab_size"] * 4 / 2**30
    free_gib = int(next(line for line in open("/proc/meminfo") if line.startswith("MemAvailable")).split()[1]) / 2**20
    padded_runs = args.padded_runs if padded_gib < 0.9 * free_gib else 0
    batch_1, padded = "transformers, batch 1", "transformers, padded batches of 8"
    results, ceilings = {batch_1: [], padded: [], "air": []}, []
    for i in range(args.runs):
        ceilings.append(matrix_product_gflops(config, args.threads))
        results[batch_1].append(transformers(1))
        results["air"].append(air())
        if i < padded_runs:
            results[padded].append(transformers(8))
        print("  ".join(f"{name}: {rs[-1]['tokens_per_second']:.0f} tokens/s" for name, rs in results.items() if rs), file=sys.stderr)

    expected = results[batch_1][0]
    for name in ("base_nll_sum", "ref_nll_sum"):
        for rs in results.values():
            for result in rs:
                difference = abs(result[name] - expected[name])
                assert difference <= 1e-5 * abs(expected[name]), f"{name}: {result[name]}, not {expected[name]}"
    flops = needed_flops(config, traces, args.heads)
    assert abs(flops - results["air"][0]["flops"]) <= 1e-3 * flops, (flops, results["air"][0]["flops"])  # prompts of 16 tokens and more that two traces share

    spread = lambda values: f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"
    summary = [f"{len(traces)} traces, {sum(len(t['ids']) for t in traces)} tokens, longest {max(len(t['ids']) for t in traces)}; "
               f"{args.threads} threads, float32, {args.runs} runs; min / median / max", ""]
    for name, rs in results.items():
        if rs:
            summary.append(f"{name:36s} tokens/s {spread([r['tokens_per_second'] for r in rs]):26s} "
                           f"peak GiB {spread([r['peak_memory_bytes'] / 2**30 for r in rs])}   runs {len(rs)}")
        else:
            summary.append(f"{name:36s} not run" + (f": its logits would take about {padded_gib:.0f} GiB" if args.padded_runs else ""))
    summary.append("")
    for name in (batch_1, padded):
        if results[name]:
            ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(results["air"], results[name])]
            summary.append(f"air / {name:33s} {spread(ratios)}")
    for index, name in enumerate(("oneDNN (air's)", "torch.nn.functional.linear")):
        rates = [rates[index] for rates in ceilings]
        share = [flops / r["seconds"] / 1e9 / rate for r, rate in zip(results["air"], rates)]
        summary += [f"matrix product by {name:27s} GFLOP/s {spread(rates)}", f"  air's share of it, needed FLOPs only    {spread(share)}"]
    share = [flops * r["tokens_per_second"] / r["num_tokens"] / 1e9 / rates[1] for r, rates in zip(results[batch_1], ceilings)]
    summary.append(f"  batch 1's share of the latter          {spread(share)}   (air's FLOPs by its time: it does more than these)")
    args.output.mkdir(parents=True, exist_ok=True)
    rows = [(name, i, r["num_tokens"], r["seconds"], r["tokens_per_second"], r["peak_memory_bytes"])
            for name, rs in results.items() for i, r in enumerate(rs)]
    with open(args.output / "raw.csv", "w", newline="") as file:
        csv.writer(file).writerows([("contender", "run", "num_tokens", "seconds", "tokens_per_second", "peak_memory_bytes"), *rows])
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    command = " ".join(["scripts/bench.sh", "--model", Path(args.model).name, "--heads", args.heads,
                        *(Path(source).name for source in args.traces), "--runs", str(args.runs)])
    (args.output / "README.md").write_text(
        f"# air score against transformers: {Path(args.model).name}\n\n{cpu}, {args.threads} threads, {platform.system()}.\n\n```\n{command}\n```\n\n```\n"
        + "\n".join(summary) + "\n```\n")
    print("\n".join(summary))


if __name__ == "__main__":
    main()
