#!/usr/bin/env python3
"""How near a hybrid comes to the rate of a matrix product, beside a model of the same size with attention in every layer, and
beside transformers: random models of Qwen3.5-0.8B's shape (Gated DeltaNet in three layers of four), of Falcon-H1-0.5B's (a Mamba-2
beside attention in every layer) and of a Qwen3's, float32.

    python scripts/bench_hybrid.py [--runs 3] [--layers 24] [--traces 8] [--models qwen3,falcon_h1]

Each run measures the product of the model's MLP, then air and transformers on the model, in turn; all must find the same losses.
The share is that of the FLOPs air needs (its manifest's) in what the product's rate would do in the same time. Exit code 1 when
the share of qwen3_5_text is less than --least times that of qwen3. Needs torch and transformers, about 10 GiB of memory and 9 of
disk. transformers computes a Mamba-2 on the CPU slowly, by products of all pairs of a chunk: most of the time is its.
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
    # As published but for the multipliers, which are any that are not 1.
    "falcon_h1": {"vocab_size": 32784, "hidden_size": 1024, "intermediate_size": 2048, "max_position_embeddings": 16384,
                  "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64, "mamba_d_ssm": 1536, "mamba_n_heads": 24,
                  "mamba_d_head": 64, "mamba_n_groups": 1, "mamba_d_state": 128, "mamba_chunk_size": 128,
                  "mamba_norm_before_gate": False, "embedding_multiplier": 5.7, "lm_head_multiplier": 0.04,
                  "key_multiplier": 0.9, "mlp_multipliers": [0.9, 0.6], "attention_out_multiplier": 0.9,
                  "ssm_multipliers": [0.9, 0.8, 0.7, 0.9, 0.8], "ssm_in_multiplier": 1.2, "ssm_out_multiplier": 0.9,
                  "rope_parameters": {"rope_type": "default", "rope_theta": 1e11}},
    "qwen3": SHARED | {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128},
}
DEPTH = {"falcon_h1": 1.5}      # layers, where the others have one
ASKED_FOR = "qwen3_5_text"      # to reach --least of qwen3's share
TOLERANCE = 1e-4        # of a sum of losses, in itself: what two orders of addition make of a recurrence in float32


def make_model(folder, model_type, layers):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    torch.manual_seed(0)
    depth = round(DEPTH.get(model_type, 1) * layers)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, num_hidden_layers=depth, **MODELS[model_type]))
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
    parser.add_argument("--models", default=",".join(MODELS), help="some of them")
    parser.add_argument("--air", default=air_binary())
    args = parser.parse_args()
    names = args.models.split(",")
    if unknown := set(names) - set(MODELS):
        parser.error(f"unknown model {', '.join(sorted(unknown))} (known: {', '.join(MODELS)})")
    attention = range(3, args.layers, 4)        # where all models have it
    heads = f"{attention[(len(attention) - 1) // 2]}-1,{attention[-1]}-3"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_traces(work / "traces.jsonl", args.traces)
        shares, ratios = {name: [] for name in names}, {name: [] for name in names}
        for name in names:
            make_model(work / name, name, args.layers)
            (work / f"{name}.jsonl").write_text(run([args.air, "inspect", "--model", str(work / name), str(work / "traces.jsonl")]))
        for _ in range(args.runs):
            for name in names:
                rate = matrix_product_gflops(MODELS[name], args.threads)[0]
                found = score_by_air(args.air, work / name, work / "traces.jsonl", heads, args.threads, work / "scored.jsonl")
                theirs = score_by_peer("bench_transformers.py", work / name, work / f"{name}.jsonl", heads, args.threads)
                for loss in ("base_nll_sum", "ref_nll_sum"):
                    assert abs(found[loss] - theirs[loss]) <= TOLERANCE * theirs[loss], f"{loss}: {found[loss]}, not {theirs[loss]}"
                shares[name].append(found["flops"] / found["seconds"] / 1e9 / rate)
                ratios[name].append(found["tokens_per_second"] / theirs["tokens_per_second"])
                print(f"{name}: product {rate:.0f} GFLOP/s, air {found['tokens_per_second']:.0f} tokens/s, {shares[name][-1]:.2f} of "
                      f"the product's rate; transformers {theirs['tokens_per_second']:.0f} tokens/s", file=sys.stderr)
    spread = lambda values: f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"
    for name in names:
        print(f"{name:13s} share of the product's rate {spread(shares[name])}   air / transformers {spread(ratios[name])}")
    reached = {name: statistics.median(shares[name]) / statistics.median(shares["qwen3"]) for name in names if "qwen3" in names}
    for name in [name for name in reached if name != "qwen3"]:
        print(f"{name} reaches {reached[name]:.2f} of qwen3's share{f'; at least {args.least} is asked for' if name == ASKED_FOR else ''}")
    sys.exit(1 if reached.get(ASKED_FOR, args.least) < args.least else 0)


if __name__ == "__main__":
    main()
