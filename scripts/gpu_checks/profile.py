"""Where the time goes on the GPU, kernel by kernel, and where it waits for the host: by CUPTI (kernel_times.cpp)."""
import gzip
import site
from collections import defaultdict
from pathlib import Path

from gpu_checks.speed import lengths_of, model_folder, shapes
from gpu_checks.traces import random_heads, write_traces

SOURCE = Path(__file__).with_name("kernel_times.cpp")
SHOWN = 16              # kernels and gaps in the results; the files have all
LONG_GAP = 50e-6        # seconds: shorter ones lie between any two kernels


def cuda_folders(kind):
    """Folders of headers or libraries: of the packages that torch brings, then of the toolkit."""
    packages = [folder for each in site.getsitepackages() for folder in sorted(Path(each).glob(f"nvidia/*/{kind}"))]
    toolkit = Path("/usr/local/cuda")
    others = [toolkit / kind, toolkit / f"{kind}64", toolkit / "extras/CUPTI" / kind, toolkit / "extras/CUPTI" / f"{kind}64"]
    return [folder for folder in packages + others if folder.is_dir()]


def build_watcher(context):
    """The library that takes the times, and the variables that put it into a program."""
    library = context.work / "libkernel_times.so"
    cupti = next((file for folder in cuda_folders("lib") for file in sorted(folder.glob("libcupti.so.*"))), None)
    if cupti is None:
        raise RuntimeError(f"no libcupti in {', '.join(map(str, cuda_folders('lib')))}")
    headers = [part for folder in cuda_folders("include") for part in ("-isystem", folder)]
    context.run(["c++", "-std=c++17", "-O2", "-shared", "-fPIC", *headers, SOURCE, "-o", library, cupti])
    path = f"{context.environment['LD_LIBRARY_PATH']}:{cupti.parent}"
    return {"LD_PRELOAD": library, "CUDA_INJECTION64_PATH": library, "LD_LIBRARY_PATH": path}


def read_spans(path):
    """(begin, end, name) of each kernel and copy, seconds, in the order of their begins."""
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t", 2) for line in file]
    return [(1e-9 * int(begin), 1e-9 * int(end), name) for begin, end, name in lines]


def gaps_of(spans, begin):
    """(seconds, after, before) of all times since `begin` in which nothing ran."""
    gaps, until, last = [], begin, "the start"
    for start, end, name in spans:
        if start > until:
            gaps.append((start - until, last, name))
        if end > until:
            until, last = end, name
    return gaps


def summary(spans, seconds):
    """Of the last `seconds` of a run: (figures, a line for each kernel, the longest first)."""
    begin = spans[-1][1] - seconds
    spans = [span for span in spans if span[0] >= begin]
    times = defaultdict(list)
    for start, end, name in spans:
        times[name].append(end - start)
    ranked = sorted(times.items(), key=lambda item: -sum(item[1]))
    gaps = sorted(gaps_of(spans, begin), key=lambda gap: -gap[0])
    idle = sum(gap[0] for gap in gaps)
    figures = {"s": seconds, "s idle": idle, "s idle in gaps of 50 us and more": sum(gap[0] for gap in gaps if gap[0] >= LONG_GAP),
               "gaps": len(gaps), "longest gaps": [f"{1e3 * s:.2f} ms, {after[:60]} -> {before[:60]}" for s, after, before in gaps[:SHOWN]]}
    table = ["share %\tms\tlaunches\tname"]
    table += [f"{100 * sum(each) / seconds:.2f}\t{1e3 * sum(each):.2f}\t{len(each)}\t{name}" for name, each in ranked]
    return figures, table


def profile(context):
    if not context.on_gpu:
        context.record("profile", "only on a GPU")
        return
    watched = build_watcher(context)
    for name in ("7B", "0.5B"):
        context.attempt(profile_model, name, watched)


def profile_model(context, name, watched):
    traces = write_traces(context.work / "profile.jsonl", context.kit / "tokenizer", lengths_of(context))
    raw = context.work / f"spans.{name}.tsv"
    raw.unlink(missing_ok=True)
    _, manifest, _ = context.score(model_folder(context, name), random_heads(shapes(context)[name], 0), traces,
                                   context.work / "profile.out.jsonl", "--no-prompt-sharing",
                                   env={key: str(value) for key, value in watched.items()} | {"KERNEL_TIMES": str(raw)})
    if not raw.exists():
        raise RuntimeError("CUPTI wrote no times; what it said is in commands.log")
    figures, table = summary(read_spans(raw), manifest["seconds"])
    context.record(name, figures | {"tokens/s": manifest["tokens_per_second"], "kernels": [line[:160] for line in table[:SHOWN]]})
    (context.out / f"kernels.{name}.tsv").write_text("\n".join(table) + "\n")
    (context.out / f"spans.{name}.tsv.gz").write_bytes(gzip.compress(raw.read_bytes()))
