#!/usr/bin/env python3
"""What sharing a prompt saves: 16 answers to one prompt of about 2,000 tokens, scored with and without --no-prompt-sharing.

    scripts/bench_shared_prompt.py --model DIR --heads heads.json GSM8K.jsonl LONG.jsonl [--runs 3]

The prompt is the beginning of LONG's responses, the answers are pairs of GSM8K's. Prints seconds and their ratio
(min / median / max), and the largest difference between the two ways in any mean loss of a step or trace, nats per token;
exit code 1 when it is above 2e-4.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from air_cli import air_binary, clean_environment


def responses(path, count):
    with open(path, encoding="utf-8") as file:
        return [json.loads(next(file))["response"] for _ in range(count)]


def score(given, traces, output, *flags):
    subprocess.run([given.air, "score", "-q", "--order", "input", "--model", given.model, "--heads", given.heads, str(traces), "-o", str(output), *flags],
                   check=True, env=clean_environment())
    manifest = json.loads(Path(f"{output}.manifest.json").read_text())
    return manifest, [json.loads(line)["air"] for line in open(output, encoding="utf-8")]


def losses(scores):
    return [span[key] for score in scores for span in [score, *score["steps"]] for key in ("base_nll", "ref_nll")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gsm8k")
    parser.add_argument("long")
    parser.add_argument("--model", required=True)
    parser.add_argument("--heads", required=True)
    parser.add_argument("--characters", type=int, default=4400, help="of the prompt")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--air", default=air_binary())
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    prompt = " ".join(responses(given.long, 12))[:given.characters]
    answers = responses(given.gsm8k, 32)
    with open(folder / "traces.jsonl", "w", encoding="utf-8") as file:
        for i in range(16):
            file.write(json.dumps({"id": i, "prompt": prompt, "response": " ".join(answers[2 * i:2 * i + 2])}) + "\n")
    ratios, difference = [], 0.0
    for _ in range(given.runs):
        shared, shared_scores = score(given, folder / "traces.jsonl", folder / "shared.jsonl")
        apart, apart_scores = score(given, folder / "traces.jsonl", folder / "apart.jsonl", "--no-prompt-sharing")
        ratios.append(apart["seconds"] / shared["seconds"])
        difference = max(abs(a - b) for a, b in zip(losses(shared_scores), losses(apart_scores), strict=True))
        print(f"{shared['num_tokens']} tokens: shared {shared['seconds']:.1f} s, apart {apart['seconds']:.1f} s")
    prompt_tokens = shared_scores[0]["num_prompt_tokens"]
    print(f"prompt of {prompt_tokens} tokens; apart / shared {min(ratios):.2f} / {statistics.median(ratios):.2f} / {max(ratios):.2f}; largest difference {difference:.1e}")
    return 0 if difference <= 2e-4 else 1


if __name__ == "__main__":
    raise SystemExit(main())
