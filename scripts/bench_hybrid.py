#!/usr/bin/env python3
"""How near a hybrid comes to the rate of a matrix product, beside a model of the same size with attention in every layer, and
beside transformers: random models of Qwen3.5-0.8B's shape (Gated DeltaNet in three layers of four) and of a Qwen3's, float32.

    python scripts/bench_hybrid.py [--runs 3] [--layers 24] [--traces 8]

Each run measures the product, then air and transformers on each model, in turn; all must find the same losses. The share is
that of the FLOPs air needs (its manifest's) in what the product's rate would do in the same time. Exit code 1 when the hybrid's
share is less than --least times the other's. Needs torch and transformers, about 10 GiB of memory and 7 of disk.
"""
import argparse
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

from air_cli import air_binary
from bench import matrix_product_gflops, run, score_by_air, score_by_peer
from make_planted_model import make_tokenizer, make_vocabulary, probe_words

SHARED = {"vocab_size": 248320, "hidden_size": 1024, "intermediate_size": 3584, "tie_word_embeddings": True,
          "max_position_embeddings": 32768}
MODELS = {
    "qwen3_5_text": SHARED | {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256, "linear_num_key_heads": 16,
                              "linear_num_value_heads": 16, "linear_key_head_dim": 128, "linear_value_head_dim": 128},
    "qwen3": SHARED | {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128},
}
TOLERANCE = 1e-4        # of a sum of losses, in itself: what two orders of addition make of a recurrence in float32


def make_model(folder, model_type, layers):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, num_hidden_layers=layers, **MODELS[model_type]))
    model.to(torch.float32).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(make_tokenizer(make_vocabulary())), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}), encoding="utf-8")


def write_traces(path, count):
    """Words at random: prompts of 60, responses of 200 to 900."""
    words, random_words = probe_words(), random.Random(0)
    text = lambda length: "".join(random_words.choices([word for word in words if word.startswith(" ")], k=length))
    lines = [{"prompt": text(60), "response": text(200 + 700 * i // max(1, count - 1))} for i in range(count)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--layers", type=int, default=24, help="fewer for a trial; a multiple of 4")
    parser.add_argument("--traces", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--least", type=float, default=0.7)
    parser.add_argument("--air", default=air_binary())
    args = parser.parse_args()
    attention = range(3, args.layers, 4)        # where both models have it
    heads = f"{attention[(len(attention) - 1) // 2]}-1,{attention[-1]}-3"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_traces(work / "traces.jsonl", args.traces)
        shares, ratios = {name: [] for name in MODELS}, {name: [] for name in MODELS}
        for name in MODELS:
            make_model(work / name, name, args.layers)
            (work / f"{name}.jsonl").write_text(run([args.air, "inspect", "--model", str(work / name), str(work / "traces.jsonl")]))
        for _ in range(args.runs):
            for name in MODELS:
                rate = matrix_product_gflops(SHARED, args.threads)[0]
                found = score_by_air(args.air, work / name, work / "traces.jsonl", heads, args.threads, work / "scored.jsonl")
                theirs = score_by_peer("bench_transformers.py", work / name, work / f"{name}.jsonl", heads, args.threads)
                for loss in ("base_nll_sum", "ref_nll_sum"):
                    assert abs(found[loss] - theirs[loss]) <= TOLERANCE * theirs[loss], f"{loss}: {found[loss]}, not {theirs[loss]}"
                shares[name].append(found["flops"] / found["seconds"] / 1e9 / rate)
                ratios[name].append(found["tokens_per_second"] / theirs["tokens_per_second"])
                print(f"{name}: product {rate:.0f} GFLOP/s, air {found['tokens_per_second']:.0f} tokens/s, {shares[name][-1]:.2f} of "
                      f"the product's rate; transformers {theirs['tokens_per_second']:.0f} tokens/s", file=sys.stderr)
    spread = lambda values: f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"
    for name in MODELS:
        print(f"{name:13s} share of the product's rate {spread(shares[name])}   air / transformers {spread(ratios[name])}")
    reached = statistics.median(shares["qwen3_5_text"]) / statistics.median(shares["qwen3"])
    print(f"the hybrid reaches {reached:.2f} of the other's share; at least {args.least} is asked for")
    sys.exit(0 if reached >= args.least else 1)


if __name__ == "__main__":
    main()
