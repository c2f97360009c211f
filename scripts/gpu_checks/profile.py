"""Which kernels the time goes to: by nsys where it is installed, else by ncu."""
import csv

from gpu_checks.context import cuda_tool
from gpu_checks.speed import lengths_of, model_folder, shapes
from gpu_checks.traces import random_heads, write_traces


def score_command(context, name, traces):
    # The tools watch the program that they start, and air becomes air-torch.
    return [context.kit / "bin/air-torch", "score", "--model", model_folder(context, name), "--heads", random_heads(shapes(context)[name], 0),
            "--device", context.device, "--no-prompt-sharing", "-o", context.work / "profile.out.jsonl", traces]


def by_nsys(context, nsys, name, traces):
    """A line for each kernel, the longest first, as nsys prints them."""
    report = context.work / f"profile.{name}"
    context.run([nsys, "profile", "--trace", "cuda", "--sample", "none", "--force-overwrite", "true", "-o", report,
                 *score_command(context, name, traces)], limit=60)
    return context.run([nsys, "stats", "--report", "cuda_gpu_kern_sum", "--format", "csv", f"{report}.nsys-rep"], limit=40).stdout


def sum_by_kernel(ncu_csv):
    """ncu's CSV, a row for each launch with its nanoseconds -> a line for each kernel: share, ms, launches, name; the longest first."""
    lines = ncu_csv.splitlines()
    begin = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if begin is None:
        raise RuntimeError("ncu printed no table: " + " / ".join(lines[-4:]))
    times = {}
    for row in csv.DictReader(lines[begin:]):
        if row["Metric Name"] == "gpu__time_duration.sum":
            times.setdefault(row["Kernel Name"], []).append(float(row["Metric Value"].replace(",", "")))
    total = sum(map(sum, times.values()))
    ranked = sorted(times.items(), key=lambda item: -sum(item[1]))
    return "\n".join(["share %,ms,launches,kernel"] +
                     [f'{100 * sum(ns) / total:.1f},{sum(ns) / 1e6:.2f},{len(ns)},"{name}"' for name, ns in ranked])


def by_ncu(context, ncu, name, traces):
    """Launch by launch, so a whole run would take minutes: launches after the first, which warm up, and not all of them."""
    table = context.run([ncu, "--csv", "--print-units", "base", "--metrics", "gpu__time_duration.sum", "--clock-control", "none",
                         "--launch-skip", 300, "--launch-count", 1500, *score_command(context, name, traces)], limit=80).stdout
    return sum_by_kernel(table)


def profile(context):
    nsys, ncu = cuda_tool("nsys"), cuda_tool("ncu")
    if not nsys and not ncu:
        context.record("profile", "neither nsys nor ncu here")
        return
    context.record("tool", nsys or ncu)
    for name in ("7B", "0.5B"):
        traces = write_traces(context.work / "profile.jsonl", context.kit / "tokenizer", lengths_of(context)[:12])
        table = by_nsys(context, nsys, name, traces) if nsys else by_ncu(context, ncu, name, traces)
        (context.out / f"kernels.{name}.csv").write_text(table)
        context.record(name, [line[:160] for line in table.splitlines()[:14]])
