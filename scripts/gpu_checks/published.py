"""A published model, --model: losses of real traces against transformers in float64 on the same GPU, base and masked; its retrieval
heads against those that the CPU finds."""
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import torch

from gpu_checks.context import difference, token_values
from gpu_checks.families import HALVES, LIMIT, Window

NUM_TRACES = 24
PARTS = ("base", "masked")


def published(context):
    if context.model is None:
        context.fail("no model: --model DIR")
        return
    heads = found_heads(context)
    context.attempt(losses, heads)
    context.attempt(scores, heads)


def on_both(context, function):
    """What function(device, name) returns for the device and for the CPU."""
    with ThreadPoolExecutor(2 if context.on_gpu else 1) as pool:
        return pool.map(function, (context.device, "cpu"), ("device", "cpu"))


def found_heads(context):
    """The names of the retrieval heads; as many processors look for them as the machine has."""
    def find(device, name):
        out = context.work / f"published.{name}.heads.json"
        context.air("find-heads", "--model", context.model, "--device", device, "--dtype", "float32", "--quiet", "-o", out, limit=100)
        return json.loads(out.read_text())

    device, cpu = on_both(context, find)
    context.record("retrieval heads", device["heads"])
    context.expect(device["heads"] == cpu["heads"], f"the heads that the CPU finds: {device['heads']}, {cpu['heads']}")
    return device["heads"]


def losses(context, heads):
    exact, theirs = their_losses(context, heads)
    for dtype in ("float32", *HALVES):
        ours = our_losses(context, heads, dtype)
        found = {part: {"air": difference(a, c), "transformers": difference(b, c)} for part, a, b, c in zip(PARTS, ours, theirs[dtype], exact)}
        context.record(f"{dtype} from float64", found)
        for part, each in found.items():
            if dtype == "float32":
                context.expect(each["air"]["max"] <= LIMIT, f"{part} losses in float32: {each['air']['max']:.1e} nats from float64")
            else:
                context.expect(each["air"]["mean"] <= each["transformers"]["mean"],
                               f"{part} losses in {dtype}: {each['air']['mean']:.2e} nats from float64 in the mean, transformers "
                               f"{each['transformers']['mean']:.2e}")


def sequences_of(context):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(context.model / "tokenizer.json"))
    rows = [json.loads(line) for line in (context.kit / "gsm8k_50.jsonl").read_text().splitlines()[:NUM_TRACES]]
    return [tokenizer.encode(row["prompt"] + "\n" + row["response"]).ids for row in rows]


def our_losses(context, heads, dtype):
    """[base, masked] of all tokens but a text's first."""
    sequences = sequences_of(context)
    window = Window(context, {})
    answer = window.ask({"model": str(context.model), "dtype": dtype, "device": context.device, "logits": False, "sequences": sequences,
                         "variants": [[], [list(map(int, head.split("-"))) for head in heads]]})
    window.close()
    if "error" in answer:
        raise RuntimeError(answer["error"])
    keep, begin = [], 0
    for ids in sequences:
        keep += range(begin, begin + len(ids) - 1)
        begin += len(ids)
    return torch.tensor(answer["nll"], dtype=torch.float64)[:, keep]


def their_losses(context, heads):
    """Of the model and of the reference that air exports: ([base, masked] in float64, {dtype: [base, masked]})."""
    reference = context.work / "published.reference"
    shutil.rmtree(reference, ignore_errors=True)    # of an earlier run: air overwrites no folder
    context.air("export-reference", "--model", context.model, "--heads", ",".join(heads), "-o", reference, "--quiet")
    found = {}
    for dtype in ("float64", "float32", *HALVES):
        found[dtype] = [transformers_losses(context, folder, getattr(torch, dtype)) for folder in (context.model, reference)]
    return found.pop("float64"), found


def transformers_losses(context, folder, dtype):
    model = context.transformers().AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    model = model.to(context.device).eval()
    parts = []
    with torch.inference_mode():
        for ids in sequences_of(context):
            log_p = model(torch.tensor([ids], device=context.device), use_cache=False).logits[0, :-1].double().log_softmax(-1)
            parts.append(-log_p.gather(1, torch.tensor(ids[1:], device=context.device)[:, None])[:, 0].cpu())
    return torch.cat(parts)


def scores(context, heads):
    """`air score` on the device and on the CPU, with the model's chat template."""
    def scored(device, name):
        out = context.work / f"published.{name}.jsonl"
        context.score(context.model, ",".join(heads), context.kit / "gsm8k_50.jsonl", out, "--token-losses", "--quiet", device=device,
                      dtype="float32", limit=100)
        return [token_values(out, key) for key in ("base_nll", "ref_nll")]

    device, cpu = on_both(context, scored)
    found = context.record("score in float32, device from CPU", {part: difference(a, b) for part, a, b in zip(PARTS, device, cpu)})
    worst = max(each["max"] for each in found.values())
    context.expect(worst <= LIMIT, f"score in float32 on the device and on the CPU: {worst:.1e} nats apart")
