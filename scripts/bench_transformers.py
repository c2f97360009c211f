"""What a user would write with transformers: the losses of every trace under the model, and under the model with some heads
attending uniformly. The baseline of scripts/bench.sh; prints one JSON object.

    python scripts/bench_transformers.py MODEL TRACES.inspect.jsonl HEADS --batch-size 1|8 --threads N [--dtype bfloat16] [--compile]

TRACES.inspect.jsonl is what `air inspect` writes, so that both score the very same tokens. A head is made uniform as a
user can do it without an attention function of his own: its query weights are set to zero in a second copy of the model.
With --compile both are compiled by torch.compile for all lengths, weights packed (freezing); that is not timed.
"""
import copy
import json
import time

import torch
from bench_peer import peer_parser, print_result
from transformers import AutoModelForCausalLM


def weaken(model, heads):
    """A copy whose heads score every key 0: their queries are zero, with or without a norm of queries."""
    weak = copy.deepcopy(model)
    size = weak.config.head_dim
    for layer, head in (map(int, name.split("-")) for name in heads.split(",")):
        proj = weak.model.layers[layer].self_attn.q_proj
        begin = head * (proj.out_features // weak.config.num_attention_heads)   # after a query comes its gate, if there is one
        proj.weight.data[begin:begin + size] = 0
        if proj.bias is not None:
            proj.bias.data[begin:begin + size] = 0
    return weak


def batch_losses(model, batch):
    """Padded batch, full logits, cross-entropy of the response tokens."""
    longest = max(len(trace["ids"]) for trace in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for row, trace in enumerate(batch):
        n = len(trace["ids"])
        ids[row, :n] = torch.tensor(trace["ids"])
        mask[row, :n] = 1
        labels[row, trace["response_begin"]:n] = ids[row, trace["response_begin"]:n]
    logits = model(ids, attention_mask=mask if len(batch) > 1 else None, use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), reduction="sum")


def compiled(model, traces):
    """Ready for texts of any length."""
    torch._inductor.config.freezing = True
    fast = torch.compile(model, dynamic=True)
    with torch.inference_mode():
        for trace in (traces[0], traces[-1], traces[len(traces) // 2]):
            batch_losses(fast, [trace])
    return fast


def main():
    parser = peer_parser(__doc__)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    traces = sorted(map(json.loads, open(args.traces)), key=lambda trace: -len(trace["ids"]))
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype)).eval()
    models = [base, weaken(base, args.heads)]
    if args.compile:
        models = [compiled(model, traces) for model in models]
    total = [0.0, 0.0]
    start = time.perf_counter()
    with torch.inference_mode():
        for begin in range(0, len(traces), args.batch_size):
            for i, model in enumerate(models):
                total[i] += batch_losses(model, traces[begin:begin + args.batch_size]).item()
    seconds = time.perf_counter() - start
    print_result(traces, seconds, total)


if __name__ == "__main__":
    main()
