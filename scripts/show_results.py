#!/usr/bin/env python3
"""Prints the top heads of a heads file, and the best and the worst trace of a scored file step by step.

    scripts/show_results.py heads.json scored.jsonl
"""
import json
import sys


def show_heads(heads):
    probes = heads["probes"]
    print(f"\nRetrieval heads: {len(heads['heads'])} of {sum(map(len, heads['scores']))}, "
          f"from {probes['num_answered']} of {probes['num_probes']} probes that the model answered")
    print("  layer-head  score")
    for name in heads["heads"]:
        layer, head = map(int, name.split("-"))
        print(f"  {name:>10}  {heads['scores'][layer][head]:.3f}")


def show_trace(title, record):
    air = record["air"]
    response = record["response"].encode()
    print(f"\n{title}: {record['id']}, influence {air['influence']:+.3f} "
          f"(loss {air['base_nll']:.3f} -> {air['ref_nll']:.3f} nats per token, {air['num_tokens']} tokens)")
    print("  influence  weight  step")
    for step in air["steps"]:
        # steps are spans of bytes; their line breaks are shown as spaces
        text = " ".join(response[step["begin"]:step["end"]].decode().split())
        print(f"  {step['influence']:+9.3f}  {step['weight']:6.2f}  {text}")


def main():
    heads_file, scored_file = sys.argv[1:]
    with open(heads_file, encoding="utf-8") as file:
        show_heads(json.load(file))
    with open(scored_file, encoding="utf-8") as file:
        ranked = [json.loads(line) for line in file]
    show_trace("Best trace", ranked[0])
    show_trace("Worst trace", ranked[-1])


if __name__ == "__main__":
    main()
