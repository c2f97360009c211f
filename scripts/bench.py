"""The benchmark of record: air against what a user would write with transformers, on the same records in one go.

    scripts/bench.sh --model DIR --heads LIST GSM8K.jsonl:40 LONG.jsonl:10 -o FOLDER [--runs 5] [--peers]

FILE:N takes the first N traces of a file that are no longer than --max-length. The contenders run in turn (transformers one
trace at a time, air, air in bfloat16, and, as often as --padded-runs says, transformers in padded batches of 8 sorted by
length); with --peers also transformers in bfloat16 and by torch.compile, CTranslate2's score_batch and OpenVINO
(requirements-bench.txt), as often as --peer-runs says. Each is a process of its own with the same number of threads, timed from
its first batch to its last loss, and does two passes, of the model and of the model with its heads masked. All must find the
same losses, those in bfloat16 to 1 %. Writes README.md and raw.csv into FOLDER.
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
from importlib.metadata import version
from pathlib import Path

from air_cli import ROOT, air_binary, clean_environment


def matrix_product_gflops(config, threads):
    """Rates of the MLP's product with 2,048 rows: oneDNN's (whose micro kernels air uses) in float32, that of torch.nn.functional.linear, and
    oneDNN's in bfloat16."""
    import torch
    torch.set_num_threads(threads)
    x, w = torch.randn(2048, config["hidden_size"]), torch.randn(config["intermediate_size"], config["hidden_size"])
    half_x, half_w = x.bfloat16(), w.bfloat16()
    products = (lambda: torch.ops.mkldnn._linear_pointwise(x, w, None, "none", [], ""), lambda: torch.nn.functional.linear(x, w),
                lambda: torch.ops.mkldnn._linear_pointwise(half_x, half_w, None, "none", [], ""))
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
    head and the last layer's part after attention for response rows; attention counted by the keys that are visible."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    size = config.get("head_dim") or hidden // config["num_attention_heads"]
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
        flops -= (1 if layers - 1 < first else 2) * (n - response) * 2 * (q * hidden + 3 * hidden * inner)
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


def score_by_peer(script, model, inspected, heads, threads, *options):
    """What a script beside this one measures."""
    return json.loads(run([sys.executable, str(ROOT / "scripts" / script), str(model), str(inspected), heads,
                           "--threads", str(threads), *options]))


def score_by_air(binary, model, traces, heads, threads, scored, dtype="float32", options=()):
    """The manifest of a run, and the sums of its losses."""
    run([binary, "score", "-q", "--model", str(model), "--heads", heads, "--threads", str(threads), "--device", "cpu",
         "--dtype", dtype, *options, str(traces), "-o", str(scored)])
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
    parser.add_argument("--peers", action="store_true", help="also transformers in bfloat16 and compiled, CTranslate2, OpenVINO")
    parser.add_argument("--peer-runs", type=int, default=3)
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

    def peer(script, *options):
        return score_by_peer(script, args.model, work / "inspected.jsonl", args.heads, args.threads, *options)

    def transformers(batch_size, *options):
        return peer("bench_transformers.py", "--batch-size", str(batch_size), *options)

    def air(dtype="float32"):
        return score_by_air(args.air, args.model, work / "traces.jsonl", args.heads, args.threads, work / "scored.jsonl", dtype)

    # Full logits, their log-softmax and the float32 copy that cross_entropy reads: what the padded baseline needs at once.
    padded_gib = 3 * 8 * max(len(trace["ids"]) for trace in traces) * config["vocab_size"] * 4 / 2**30
    free_gib = int(next(line for line in open("/proc/meminfo") if line.startswith("MemAvailable")).split()[1]) / 2**20
    padded_runs = args.padded_runs if padded_gib < 0.9 * free_gib else 0
    batch_1, padded, half = "transformers, batch 1", "transformers, padded batches of 8", "air, bfloat16"
    ctranslate2, openvino = "CTranslate2, batches by tokens", "OpenVINO, batch 1"
    peer_runs = args.peer_runs if args.peers else 0
    # Its conversion is tried on models without windows.
    openvino_runs = 0 if "sliding_attention" in (config.get("layer_types") or []) else peer_runs
    # (contender, how often, how, relative difference of its losses that is allowed)
    contenders = [(batch_1, args.runs, lambda: transformers(1), 1e-5), ("air", args.runs, air, 1e-5),
                  (half, args.runs, lambda: air("bfloat16"), 1e-2), (padded, padded_runs, lambda: transformers(8), 1e-5),
                  ("transformers, batch 1, bfloat16", peer_runs, lambda: transformers(1, "--dtype", "bfloat16"), 1e-2),
                  ("transformers, batch 1, torch.compile", peer_runs, lambda: transformers(1, "--compile"), 1e-5),
                  (ctranslate2, peer_runs, lambda: peer("bench_ctranslate2.py"), 2e-5),
                  (openvino, openvino_runs, lambda: peer("bench_openvino.py"), 2e-5)]
    results, ceilings = {name: [] for name, *_ in contenders}, []
    for i in range(max(args.runs, padded_runs, peer_runs)):
        ceilings.append(matrix_product_gflops(config, args.threads))
        for name, runs, contender, _ in contenders:
            if i < runs:
                results[name].append(contender())
        print("  ".join(f"{name}: {rs[-1]['tokens_per_second']:.0f} tokens/s" for name, rs in results.items() if rs), file=sys.stderr)

    expected = results[batch_1][0]
    for name, _, _, allowed in contenders:
        for result in results[name]:
            for loss in ("base_nll_sum", "ref_nll_sum"):
                difference = abs(result[loss] - expected[loss]) / abs(expected[loss])
                assert difference <= allowed, f"{name}, {loss}: {result[loss]}, not {expected[loss]}"
    # Without sharing of what prompts have in common, air counts as this script does; in the runs it counts what it computes.
    counted = needed_flops(config, traces, args.heads)
    apart = score_by_air(args.air, args.model, work / "traces.jsonl", args.heads, args.threads, work / "scored.jsonl", options=["--no-prompt-sharing"])
    assert abs(counted - apart["flops"]) <= 1e-3 * counted, (counted, apart["flops"])
    flops = results["air"][0]["flops"]

    spread = lambda values: f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"
    summary = [f"{len(traces)} traces, {sum(len(t['ids']) for t in traces)} tokens, longest {max(len(t['ids']) for t in traces)}; "
               f"{args.threads} threads, float32 where nothing else is said, {args.runs} runs; min / median / max", ""]
    for name, rs in results.items():
        if rs:
            summary.append(f"{name:36s} tokens/s {spread([r['tokens_per_second'] for r in rs]):26s} "
                           f"peak GiB {spread([r['peak_memory_bytes'] / 2**30 for r in rs])}   runs {len(rs)}")
        elif name == padded:
            summary.append(f"{name:36s} not run" + (f": its logits would take about {padded_gib:.0f} GiB" if args.padded_runs else ""))
    summary.append("")
    for name, rs in results.items():
        if rs and name not in ("air", half):
            for own in ("air", half):
                ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(results[own], rs)]
                summary.append(f"{own + ' / ' + name:50s} {spread(ratios)}")
    for unit, key in (("tokens/s", "tokens_per_second"), ("peak memory", "peak_memory_bytes")):
        ratios = [a[key] / b[key] for a, b in zip(results[half], results["air"])]
        summary.append(f"{half + ' / air, ' + unit:50s} {spread(ratios)}")
    for index, (name, own) in enumerate((("oneDNN (air's)", "air"), ("torch.nn.functional.linear", "air"), ("oneDNN in bfloat16", half))):
        rates = [rates[index] for rates in ceilings]
        share = [flops / r["seconds"] / 1e9 / rate for r, rate in zip(results[own], rates)]
        label = f"  share of it that {own} reaches"
        summary += [f"matrix product by {name:27s} GFLOP/s {spread(rates)}", f"{label:42s}{spread(share)}"]
    summary.append(f"Needed FLOPs only: {flops / 1e12:.2f}e12 of air, {counted / 1e12:.2f}e12 without sharing what prompts begin with.")
    share = [counted * r["tokens_per_second"] / r["num_tokens"] / 1e9 / rates[1] for r, rates in zip(results[batch_1], ceilings)]
    summary.append(f"  batch 1's share of torch.nn.functional.linear's {spread(share)}   (these FLOPs by its time: it does more)")
    args.output.mkdir(parents=True, exist_ok=True)
    rows = [(name, i, r["num_tokens"], r["seconds"], r["tokens_per_second"], r["peak_memory_bytes"])
            for name, rs in results.items() for i, r in enumerate(rs)]
    with open(args.output / "raw.csv", "w", newline="") as file:
        csv.writer(file).writerows([("contender", "run", "num_tokens", "seconds", "tokens_per_second", "peak_memory_bytes"), *rows])
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    versions = "torch " + version("torch") + ", transformers " + version("transformers")
    if peer_runs:
        versions += f", CTranslate2 {results[ctranslate2][0]['version']}"
    if openvino_runs:
        versions += f", OpenVINO {results[openvino][0]['version']}"
    summary.append(versions)
    command = " ".join(["scripts/bench.sh", "--model", Path(args.model).name, "--heads", args.heads,
                        *(Path(source).name for source in args.traces), "--runs", str(args.runs),
                        *(["--peers"] if args.peers else [])])
    (args.output / "README.md").write_text(
        f"# air score beside others: {Path(args.model).name}\n\n{cpu}, {args.threads} threads, {platform.system()}.\n\n```\n{command}\n```\n\n```\n"
        + "\n".join(summary) + "\n```\n")
    print("\n".join(summary))


if __name__ == "__main__":
    main()
