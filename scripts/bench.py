"""The benchmark of record: air against what a user would write with transformers, on the same records in one go.

    scripts/setup.sh --test && .venv/bin/python scripts/bench.py --model DIR --heads LIST TRACES.jsonl [--runs 5] [-o FOLDER]

The contenders run in turn (transformers one trace at a time, transformers in padded batches of 8 sorted by length, air), as
often as --runs says; each is a process of its own, timed from its first batch to its last loss. Writes README.md,
summary.txt and raw.csv into FOLDER.
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

ROOT = Path(__file__).resolve().parent.parent


def matrix_product_gflops(threads):
    """The rate of the fastest float32 matrix product that libtorch carries (oneDNN), at a shape of the model's."""
    import torch
    torch.set_num_threads(threads)
    x, w = torch.randn(2048, 576), torch.randn(1536, 576)
    product = lambda: torch.ops.mkldnn._linear_pointwise(x, w, None, "none", [], "")
    with torch.inference_mode():
        product()
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - start)
    return 2 * x.shape[0] * x.shape[1] * w.shape[0] / statistics.median(seconds) / 1e9


def needed_flops(config, traces, heads):
    """Multiply-adds, counted twice, of what scoring needs: layers below the first masked one once, the others twice, the
    head for response rows of both models; causal attention counted by its visible half."""
    hidden, inner, size = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    q, kv = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    layer = 2 * (hidden * (q + 2 * kv) + q * hidden + 3 * hidden * inner)
    layers, first = config["num_hidden_layers"], min(int(head.split("-")[0]) for head in heads.split(","))
    passes = first + 2 * (layers - first)
    flops = 0
    for trace in traces:
        n, response = len(trace["ids"]) - 1, len(trace["ids"]) - trace["response_begin"]
        flops += passes * (n * layer + 2 * q * n * (n + 1)) + 2 * response * 2 * hidden * config["vocab_size"]
    return flops


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--heads", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-length", type=int, default=2048, help="longer traces are left out")
    parser.add_argument("--air", default=str(ROOT / "build/release/air"))
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    inspected = run([args.air, "inspect", "--model", args.model, *args.traces]).splitlines()
    lines = [line for name in args.traces for line in open(name, encoding="utf-8")]
    kept = [i for i, trace in enumerate(inspected) if len(json.loads(trace)["ids"]) <= args.max_length]
    (work / "traces.jsonl").write_text("".join(lines[i] for i in kept), encoding="utf-8")
    (work / "inspected.jsonl").write_text("\n".join(inspected[i] for i in kept) + "\n", encoding="utf-8")
    traces = [json.loads(inspected[i]) for i in kept]

    baseline = [sys.executable, str(ROOT / "scripts/bench_transformers.py"), args.model, str(work / "inspected.jsonl"),
                args.heads, "--threads", str(args.threads)]

    def air():
        run([args.air, "score", "-q", "--model", args.model, "--heads", args.heads, "--threads", str(args.threads), "--device", "cpu",
             str(work / "traces.jsonl"), "-o", str(work / "scored.jsonl")])
        return json.loads((work / "scored.jsonl.manifest.json").read_text())

    contenders = {"transformers, batch 1": lambda: json.loads(run(baseline + ["--batch-size", "1"])),
                  "transformers, padded batches of 8": lambda: json.loads(run(baseline + ["--batch-size", "8"])), "air": air}
    results, ceilings = {name: [] for name in contenders}, []
    for _ in range(args.runs):
        ceilings.append(matrix_product_gflops(args.threads))
        for name, contender in contenders.items():
            results[name].append(contender())
            print(f"{name}: {results[name][-1]['tokens_per_second']:.0f} tokens/s", file=sys.stderr)

    flops = needed_flops(json.loads((Path(args.model) / "config.json").read_text()), traces, args.heads)
    rows = [(name, i, r["num_tokens"], r["seconds"], r["tokens_per_second"], r["peak_memory_bytes"])
            for name, rs in results.items() for i, r in enumerate(rs)]
    spread = lambda values: f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"
    ratio = lambda name: [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(results["air"], results[name])]
    share = [flops / r["seconds"] / 1e9 / ceiling for r, ceiling in zip(results["air"], ceilings)]
    summary = [f"{len(traces)} traces, {sum(len(t['ids']) for t in traces)} tokens, longest {max(len(t['ids']) for t in traces)}; "
               f"{args.threads} threads, float32, {args.runs} runs; min / median / max", ""]
    for name, rs in results.items():
        summary.append(f"{name:36s} tokens/s {spread([r['tokens_per_second'] for r in rs]):26s} "
                       f"peak GiB {spread([r['peak_memory_bytes'] / 2**30 for r in rs])}")
    summary += ["", f"air / transformers, batch 1             {spread(ratio('transformers, batch 1'))}",
                f"air / transformers, batches of 8        {spread(ratio('transformers, padded batches of 8'))}",
                f"matrix product, GFLOP/s                 {spread(ceilings)}",
                f"air's share of it (needed FLOPs only)   {spread(share)}"]
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "summary.txt").write_text("\n".join(summary) + "\n")
    with open(args.output / "raw.csv", "w", newline="") as file:
        csv.writer(file).writerows([("contender", "run", "num_tokens", "seconds", "tokens_per_second", "peak_memory_bytes"), *rows])
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    (args.output / "README.md").write_text(
        f"# air score against transformers\n\n{cpu}, {args.threads} threads, {platform.system()}. Made by `scripts/bench.py "
        f"--model SmolLM2 --heads {args.heads} …` (see its head for what runs).\n\n```\n" + "\n".join(summary) + "\n```\n")
    print("\n".join(summary))


if __name__ == "__main__":
    main()
