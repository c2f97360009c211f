#!/usr/bin/env python3
"""Writes what scripts/gpu_check.py holds a GPU against: tiny models of every family and their losses by transformers, float64
on the CPU.

    .venv/bin/python scripts/gpu_golden.py KIT

KIT/families/FAMILY.NAME/ are the models, KIT/families/losses.json says for each: heads that are masked, losses of all tokens but
a text's first, and whether texts may share a prompt. KIT/tokenizer/ fits models of any vocabulary of 400 tokens or more.
"""
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "golden")]

import conftest  # noqa: E402,F401  transformers stays offline
import numpy as np  # noqa: E402
import tiny_models  # noqa: E402
import torch  # noqa: E402
from family_models import VOCAB_SIZE, cases, make_model  # noqa: E402
from reference import ModelReference, Plan, exact_logits, forward_logits  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from test_families import TOLERANCE, masks, nll_of  # noqa: E402

# Two texts with the same beginning and a short one; the long ones reach beyond a block of 128 keys.
PROMPT, LENGTHS = 70, (150, 131, 13)
# These compute frequencies from the length of the whole text: no two texts share a prompt's state.
BY_LENGTH = {"dynamic", "longrope"}


def make_sequences():
    random = np.random.default_rng(3)
    long, other, short = (random.integers(2, VOCAB_SIZE - 4, length).tolist() for length in LENGTHS)
    return [long, long[:PROMPT] + other[PROMPT:], short]


def rope_types(value):
    """The rotary embeddings in a config.json; those with an alpha are as if that length were fixed."""
    if isinstance(value, list):
        return set().union(*map(rope_types, value))
    if not isinstance(value, dict):
        return set()
    own = {value["rope_type"]} if "rope_type" in value and not value.get("alpha") else set()
    return own.union(*map(rope_types, value.values()))


def golden(folder, family, name, mode, sequences):
    if mode == "uniform":
        make_model(folder, family, name)
    reference = ModelReference(folder)
    variants = masks(reference.attention_layers, reference.num_heads)

    def losses(forward, model):
        return np.array([nll_of(np.concatenate([forward(model, ids, Plan(frozenset(heads), mode)) for ids in sequences]), sequences)
                         for heads in variants])

    float32 = losses(forward_logits, reference.model)
    nll = losses(exact_logits, ModelReference(folder, exact=True).model)
    changes = np.abs(nll[1:] - nll[0]).max(axis=1)
    assert changes.min() > 2e-3, f"{folder.name}: masking changes nothing: {changes}"
    rounding = np.abs(float32 - nll).max()
    assert rounding <= TOLERANCE / 2, f"{folder.name}: transformers in float32 is {rounding:.1e} from float64: draw a gentler one"
    types = rope_types(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    return {"model": folder.name, "mode": mode, "variants": variants, "nll": nll.tolist(), "prefixes": not types & BY_LENGTH}


def planted_golden(folder):
    """The planted model's attention is so sharp that float32 itself is 0.01 nats from the truth: losses in float64, and how far
    transformers in float32 is from them."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with open(ROOT / "examples" / "gsm8k_50.jsonl", encoding="utf-8") as file:
        traces = [json.loads(line) for line in file][:24]
    sequences = [tokenizer.encode(trace["prompt"] + "\n" + trace["response"]).ids for trace in traces]
    variants = [[], [[1, 5], [1, 12]]]
    nll = {}
    for dtype in (torch.float32, torch.float64):
        model = ModelReference(folder).model.to(dtype)
        nll[dtype] = [[loss for ids in sequences for loss in exact_losses(model, ids, heads)] for heads in variants]
    errors = np.abs(np.subtract(nll[torch.float32], nll[torch.float64]))
    return {"sequences": sequences, "variants": variants, "nll": nll[torch.float64],
            "transformers in float32": {"max": errors.max(axis=1).tolist(), "mean": errors.mean(axis=1).tolist()}}


def exact_losses(model, ids, heads):
    logits = forward_logits(model, ids, Plan(frozenset(map(tuple, heads))), dtype=torch.float64)
    log_p = torch.from_numpy(logits).double().log_softmax(-1)
    return (-log_p[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]).tolist()


def main():
    torch.set_num_threads(1)
    kit = Path(sys.argv[1])
    sequences = make_sequences()
    every = [(family, name, "uniform") for family, name in cases()]
    every += [case for family in ("gemma2", "gpt_oss", "mistral", "cohere2")
              for case in [(*next(c for c in cases() if c[0] == family), "zero")]]
    jobs = [golden(kit / "families" / f"{family}.{name}", family, name, mode, sequences) for family, name, mode in every]
    (kit / "families" / "losses.json").write_text(json.dumps({"sequences": sequences, "prompt": PROMPT, "jobs": jobs}))
    (kit / "planted.json").write_text(json.dumps(planted_golden(kit / "planted")))
    (kit / "tokenizer").mkdir(exist_ok=True)
    tiny_models.make_tokenizer(kit / "tokenizer", add_bos=False)
    print(f"gpu_golden: {len(jobs)} jobs", file=sys.stderr)


if __name__ == "__main__":
    main()
