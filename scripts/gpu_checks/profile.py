"""Which kernels the time goes to: by nsys, where it is installed."""
import shutil

from gpu_checks.speed import lengths_of, model_folder, shapes
from gpu_checks.traces import random_heads, write_traces


def profile(context):
    if not shutil.which("nsys"):
        context.record("profile", "no nsys here")
        return
    for name in ("7B", "0.5B"):
        traces = write_traces(context.work / "profile.jsonl", context.kit / "tokenizer", lengths_of(context)[:12])
        report = context.work / f"profile.{name}"
        context.run(["nsys", "profile", "--trace", "cuda", "--sample", "none", "--force-overwrite", "true", "-o", report, context.kit / "bin/air",
                     "score", "--model", model_folder(context, name), "--heads", random_heads(shapes(context)[name], 0), "--device", context.device,
                     "--no-prompt-sharing", "-o", context.work / "profile.out.jsonl", traces], limit=60)
        table = context.run(["nsys", "stats", "--report", "cuda_gpu_kern_sum", "--format", "csv", f"{report}.nsys-rep"], limit=40).stdout
        (context.out / f"kernels.{name}.csv").write_text(table)
        context.record(name, [line[:160] for line in table.splitlines()[:14]])
