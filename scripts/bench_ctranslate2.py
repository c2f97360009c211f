"""The losses of every trace by CTranslate2's score_batch, under the model and under the model with some heads attending
uniformly. A contender of scripts/bench.py; prints one JSON object, as bench_transformers.py does.

    python scripts/bench_ctranslate2.py MODEL TRACES.inspect.jsonl HEADS --threads N [--compute-type float32] [--batch-tokens 4096]

The model is converted first, in a process of its own and untimed, and once more with the query weights of the heads set to
zero. Batches are made by CTranslate2, by length and number of tokens.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_peer import peer_parser, print_result


def convert(model, heads, folder, compute_type):
    """Writes base and ref into the folder."""
    import torch
    from bench_transformers import weaken
    from ctranslate2.converters import TransformersConverter
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    for name, weights in (("base", base), ("ref", weaken(base, heads))):
        weights.save_pretrained(folder / "saved" / name)
        tokenizer.save_pretrained(folder / "saved" / name)
        TransformersConverter(str(folder / "saved" / name)).convert(str(folder / name), quantization=compute_type)


def main():
    parser = peer_parser(__doc__)
    parser.add_argument("--compute-type", default="float32")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--convert", type=Path, metavar="FOLDER", help="only convert the models, into FOLDER")
    args = parser.parse_args()
    if args.convert:
        convert(args.model, args.heads, args.convert, args.compute_type)
        return
    import ctranslate2
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, *sys.argv, "--convert", folder], check=True, stdout=subprocess.DEVNULL)
        generators = [ctranslate2.Generator(f"{folder}/{name}", device="cpu", compute_type=args.compute_type, inter_threads=1,
                                            intra_threads=args.threads) for name in ("base", "ref")]
        words = json.loads((Path(folder) / "base" / "vocabulary.json").read_text())
    traces = [json.loads(line) for line in open(args.traces)]
    texts = [[words[id] for id in trace["ids"]] for trace in traces]
    total = [0.0, 0.0]
    start = time.perf_counter()
    for i, generator in enumerate(generators):
        results = generator.score_batch(texts, max_batch_size=args.batch_tokens, batch_type="tokens", max_input_length=0)
        for trace, result in zip(traces, results, strict=True):
            # A log probability for each token but the first.
            assert len(result.log_probs) == len(trace["ids"]) - 1
            total[i] -= sum(result.log_probs[trace["response_begin"] - 1:])
    seconds = time.perf_counter() - start
    print_result(traces, seconds, total, version=ctranslate2.__version__)


if __name__ == "__main__":
    main()
