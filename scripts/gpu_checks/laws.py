"""What holds of every run: the same bytes twice; batches, shared prompts and streams change rounding only; memory that runs out splits
batches; long traces."""
import json
from concurrent.futures import ThreadPoolExecutor

import torch

from gpu_checks.context import difference, token_values
from gpu_checks.speed import lengths_of, model_folder, shapes
from gpu_checks.traces import random_heads, write_traces

WORDS_OF_SYSTEM = "May half earns clips answer many yesterday"
ROUNDING = 0.05         # nats, mean over tokens: what other batches may change in bfloat16


def laws(context):
    for part in (same_bytes_and_batches, shared_prompts, streamed, little_memory, new_lengths):
        context.attempt(part)


def score_small(context, name, lengths, *more, **options):
    """The 0.5B model, losses of single tokens."""
    traces = write_traces(context.work / f"{name}.jsonl", context.kit / "tokenizer", lengths)
    shape = shapes(context)["0.5B"]
    done, manifest, _ = context.score(model_folder(context, "0.5B"), random_heads(shape, shape["num_hidden_layers"] // 3, 16), traces,
                                      context.work / f"{name}.out.jsonl", "--token-losses", *more, **options)
    return done, manifest


def differences(context, name, other):
    outputs = [context.work / f"{each}.out.jsonl" for each in (other, name)]
    return {key: difference(*(token_values(out, key) for out in outputs)) for key in ("base_nll", "ref_nll")}


def law_lengths(context):
    return lengths_of(context, 48 if context.on_gpu else 8, seed=2)


def same_bytes_and_batches(context):
    lengths, more = law_lengths(context), {"batches": ("--max-batch-tokens", context.tokens)}
    with ThreadPoolExecutor(3 if context.on_gpu else 1) as pool:
        for run in [pool.submit(score_small, context, name, lengths, *more.get(name, ())) for name in ("first", "second", "batches")]:
            run.result()
    first, second = ((context.work / f"{name}.out.jsonl").read_bytes() for name in ("first", "second"))
    context.expect(first == second, "two runs write the same bytes")
    judge_rounding(context, "batches of one trace", "batches")


def judge_rounding(context, what, name, other="first", limit=ROUNDING):
    found = context.record(what, differences(context, name, other))
    worst = max(d["mean"] for d in found.values())
    context.expect(worst < limit, f"{what}: mean difference {worst:.1e} nats, limit {limit}")


def shared_prompts(context):
    """In float32: different prompts with one start, and several responses to each prompt; each computed once, or for each trace."""
    start, traces = f"{WORDS_OF_SYSTEM} " * 12, context.work / "shared.jsonl"
    rows = [json.loads(line) for line in write_traces(context.work / "single.jsonl", context.kit / "tokenizer",
                                                      law_lengths(context)[:8]).read_text().splitlines()]
    with traces.open("w") as file:
        for i, row in enumerate(rows):
            file.write(json.dumps(row | {"prompt": start + row["prompt"]}) + "\n")
            if i % 3 == 0:      # some prompts are alone, and share the start
                file.write(json.dumps(row | {"id": f"{i} again", "prompt": start + row["prompt"], "response": rows[-1]["response"][:4000]}) + "\n")
    shape = shapes(context)["0.5B"]
    said = {}
    for name, more in (("alone", ["--no-prompt-sharing"]), ("shared", [])):
        _, said[name], _ = context.score(model_folder(context, "0.5B"), random_heads(shape, 2, 16), traces, context.work / f"{name}.out.jsonl",
                                         "--token-losses", "--bench", *more, dtype="float32")
    flops = {name: manifest["flops_per_second"] * manifest["seconds"] for name, manifest in said.items()}
    context.expect(flops["shared"] < 0.99 * flops["alone"], f"shared prompts are computed once: {flops}")
    judge_rounding(context, "shared prompts in float32", "shared", "alone", limit=1e-4)


def streamed(context):
    """`score --stream` writes each record as it comes, with the losses of a run over the file."""
    lengths = law_lengths(context)[:8]
    score_small(context, "file", lengths, "--max-batch-tokens", "1")
    shape = shapes(context)["0.5B"]
    with (context.work / "file.jsonl").open() as records, (context.work / "stream.out.jsonl").open("w") as out:
        context.air("score", "--stream", "--model", model_folder(context, "0.5B"), "--device", context.device, "--token-losses",
                    "--heads", random_heads(shape, shape["num_hidden_layers"] // 3, 16), stdin=records, stdout=out)
    judge_rounding(context, "a stream", "stream", "file")


def little_memory(context):
    """Another program holds so much that the batch does not fit: it is scored in parts."""
    if not context.on_gpu:
        context.record("little memory", "only on a GPU")
        return
    lengths, more = lengths_of(context, 96, seed=4), ("--max-batch-tokens", "262144")
    score_small(context, "roomy", lengths, *more)
    split = False
    for left in (4.5, 4.0, 3.7, 3.4):
        hog = torch.empty(max(0, torch.cuda.mem_get_info()[0] - int(left * 2**30)), dtype=torch.uint8, device="cuda")
        try:
            done, _ = score_small(context, "little", lengths, *more, check=False, limit=40)
        finally:
            del hog
            torch.cuda.empty_cache()
        says = [line for line in done.stderr.splitlines() if "memory" in line or "error" in line]
        split = "scored in parts" in done.stderr
        context.record(f"{left} GiB left", {"exit": done.returncode, "says": [line[:200] for line in says[-3:]]})
        if split or done.returncode != 0:
            break
    if context.expect(split and done.returncode == 0, f"a batch that does not fit is scored in parts: exit {done.returncode}, {left} GiB left"):
        judge_rounding(context, "in parts", "little", "roomy")


def new_lengths(context):
    """Tokens a second of single traces of lengths that no kernel has seen, and of equal ones."""
    figures = {}
    for name, lengths in (("new lengths", law_lengths(context)), ("equal lengths", [3 * context.tokens // 4] * len(law_lengths(context)))):
        _, manifest = score_small(context, "lengths", lengths, "--max-batch-tokens", "1")
        figures[name] = {"tokens/s": manifest["tokens_per_second"], "s a trace": manifest["seconds"] / manifest["num_traces"]}
    context.record("traces one by one", figures)


def long_traces(context):
    """One of 32,768 tokens of the 7B shape. The last layers are masked: most of the work is done once."""
    length = 32768 if context.on_gpu else 256
    traces = write_traces(context.work / "long.jsonl", context.kit / "tokenizer", [length - 8])
    shape = shapes(context)["7B"]
    found = {}
    for dtype in ("bfloat16", "float32"):
        out = context.work / f"long.{dtype}.jsonl"
        done, manifest, seconds = context.score(model_folder(context, "7B"), random_heads(shape, shape["num_hidden_layers"] - 2, 4), traces, out,
                                                "--token-losses", "--overlong", "truncate", "--max-length", length, dtype=dtype, check=False,
                                                limit=80)
        figures = {"exit": done.returncode, "s of the process": seconds, "says": [line[:160] for line in done.stderr.splitlines()[-3:]]}
        if manifest:
            figures |= {key: manifest[key] for key in ("seconds", "num_tokens", "tokens_per_second", "peak_device_memory_bytes") if key in manifest}
            found[dtype] = token_values(out, "base_nll")
        context.record(f"a trace of {length} tokens in {dtype}", figures)
        context.expect(manifest is not None and manifest["num_traces"] == 1 and len(found[dtype]) > length - 64,
                       f"a trace of {length} tokens in {dtype} is scored")
    if len(found) == 2:
        context.record("bfloat16 from float32, long trace", difference(found["bfloat16"], found["float32"]))
