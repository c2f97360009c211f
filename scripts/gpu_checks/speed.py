"""How fast air scores, and how fast transformers computes the same losses, on random models of published shapes."""
import json
import random
import subprocess
import sys
import time
from importlib.util import find_spec

import torch

from gpu_checks.context import ROOT
from gpu_checks.random_models import SHAPES, TINY_SHAPES
from gpu_checks.traces import random_heads, write_traces

NUM_TRACES = 32
DENSE = ("7B", "1.5B", "0.5B")


def shapes(context):
    return SHAPES if context.on_gpu else TINY_SHAPES


def model_folder(context, name):
    return context.work / name


def start_making(context):
    """Once; make_models waits for it."""
    if context.making is None:
        context.making = subprocess.Popen([sys.executable, "-m", "gpu_checks.random_models", context.work, context.kit / "tokenizer", context.device],
                                          cwd=ROOT / "scripts", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stop_making(context):
    if context.making and context.making.poll() is None:
        context.making.kill()
        context.making.wait()


def make_models(context):
    begin = time.perf_counter()
    said, problem = context.making.communicate()
    for line in said.splitlines():
        context.note(**json.loads(line))
    context.record("s that it was waited for", time.perf_counter() - begin)
    context.expect(context.making.returncode == 0, f"models are made{': ' if problem else ''}{problem[-800:]}")


def lengths_of(context, count=NUM_TRACES, seed=1):
    """From half of the tokens up to all of them, no two the same."""
    rng = random.Random(seed)
    return [context.tokens] + rng.sample(range(context.tokens // 2, context.tokens), count - 1)


def bench(context, name, first_layer, lengths, env=None):
    model, shape = model_folder(context, name), shapes(context)[name]
    traces = write_traces(context.work / "speed.jsonl", context.kit / "tokenizer", lengths)
    out = context.work / f"speed.{name}.jsonl"
    done, manifest, seconds = context.score(model, random_heads(shape, first_layer), traces, out, "--bench", "--no-prompt-sharing", "--verbose",
                                            env=env, limit=80)
    rate = manifest["matrix_product_flops_per_second"]
    best = context.results.get("environment", {}).get("TFLOP/s of a bfloat16 product")
    figures = {"tokens/s": manifest["tokens_per_second"], "share": manifest["flops_per_second"] / rate,
               "TFLOP/s": manifest["flops_per_second"] / 1e12, "products": rate / 1e12,
               "share of 8192^3": manifest["flops_per_second"] / 1e12 / best if best else None,
               "tokens": manifest["num_tokens"], "s": manifest["seconds"], "s of the process": seconds}
    if peak := manifest.get("peak_device_memory_bytes"):
        figures["peak GiB"] = peak / 2**30
    if warnings := [line for line in done.stderr.splitlines() if "warning" in line]:
        figures["says"] = warnings[:3]
    return context.record(f"{name}, first masked layer {first_layer}", figures)


def speed(context):
    lengths = lengths_of(context)
    for name, first_layer in (("7B", 0), ("7B", 10), ("1.5B", 0), ("0.5B", 0), ("qwen3-moe", 0), ("gpt-oss", 0)):
        context.attempt(bench, name, first_layer, lengths)


def without_kernels(context):
    """The same with ATen alone."""
    for name in ("7B", "0.5B"):
        context.attempt(bench, name, 0, lengths_of(context), {"AIR_CUDA_KERNELS": "0"})


# ---- theirs ----------------------------------------------------------------------------------------------------------

def their_speed(context):
    """As a user writes it: batch 1, SDPA, logits of the response only, two full passes. Lengths as air's."""
    for name in DENSE:
        context.attempt(their_bench, name)
    compare_speeds(context)


def their_bench(context, name):
    count = 10 if name == "7B" else 16
    different, equal = lengths_of(context)[:count], [context.tokens] * (count // 2)
    there = {"device_map": context.device} if find_spec("accelerate") else {}
    model = context.transformers().AutoModelForCausalLM.from_pretrained(model_folder(context, name), dtype=torch.bfloat16,
                                                                        attn_implementation="sdpa", **there)
    model = model.to(context.device).eval()
    both_passes(model, equal[0], context.device)
    context.record(name, {"tokens/s": their_rate(context, model, different), "tokens/s, the same lengths again":
                          their_rate(context, model, different), "tokens/s, equal lengths": their_rate(context, model, equal)})


def both_passes(model, length, device):
    """Losses and entropies of a text, twice: base and reference."""
    prompt = 16
    ids = torch.randint(0, 400, (1, length), device=device)
    with torch.inference_mode():
        for _ in range(2):
            log_p = model(ids[:, :-1], use_cache=False, logits_to_keep=length - prompt).logits[0].float().log_softmax(-1)
            log_p.gather(1, ids[0, prompt:].unsqueeze(1)).cpu(), (log_p.exp() * log_p).sum(-1).cpu()


def their_rate(context, model, lengths):
    context.synchronize()
    begin = time.perf_counter()
    for length in lengths:
        both_passes(model, length, context.device)
    context.synchronize()
    return sum(lengths) / (time.perf_counter() - begin)


def compare_speeds(context):
    """Ours over theirs, the same lengths, theirs warm."""
    ours, theirs = context.results.get("speed", {}), context.results[context.step]
    for name in filter(theirs.get, DENSE):
        for layer in (0, 10):
            if figures := ours.get(f"{name}, first masked layer {layer}"):
                context.record(f"{name}, air / transformers, first masked layer {layer}", figures["tokens/s"]
                               / theirs[name]["tokens/s, the same lengths again"])


def ratios(context):
    """Ours over theirs, turn by turn: min, median and max of the rounds. Theirs computes a part of the traces, warm."""
    transformers = context.transformers()
    lengths = lengths_of(context)
    for name, layers, rounds in (("7B", (0, 10), 5), ("1.5B", (0,), 5), ("0.5B", (0,), 5)):
        model = transformers.AutoModelForCausalLM.from_pretrained(model_folder(context, name), dtype=torch.bfloat16,
                                                                  attn_implementation="sdpa").to(context.device).eval()
        some = lengths[:10 if name == "7B" else 16]
        their_rate(context, model, some)
        ours, theirs = {layer: [] for layer in layers}, []
        for _ in range(rounds):
            theirs.append(their_rate(context, model, some))
            for layer in layers:
                ours[layer].append(bench(context, name, layer, lengths))
        for layer, runs in ours.items():
            context.record(f"{name}, first masked layer {layer}", {
                "air / transformers": spread(run["tokens/s"] / rate for run, rate in zip(runs, theirs)),
                "tokens/s": spread(run["tokens/s"] for run in runs), "their tokens/s": spread(theirs),
                "share of the product rate": spread(run["share"] for run in runs), "peak GiB": runs[0].get("peak GiB")})
        del model
        if context.on_gpu:
            torch.cuda.empty_cache()


def spread(values):
    ordered = sorted(values)
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]
