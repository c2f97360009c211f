"""The losses of every trace by OpenVINO, one trace at a time, under the model and under the model with some heads attending
uniformly. A contender of scripts/bench.py; prints one JSON object, as bench_transformers.py does.

    python scripts/bench_openvino.py MODEL TRACES.inspect.jsonl HEADS --threads N [--precision f32]

The model is traced and converted first, in a process of its own and untimed, and once more with the query weights of the heads
set to zero. What OpenVINO runs ends with the log probability of each token.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_peer import peer_parser, print_result


def convert(name, heads, folder):
    """Writes base.xml and ref.xml into the folder."""
    import openvino
    import torch
    from bench_transformers import weaken
    from transformers import AutoModelForCausalLM

    class LogProbabilities(torch.nn.Module):
        """[1, N] ids → [1, N − 1], of the second to the last. Masks are given: the library's own look for packed sequences,
        by an operator that OpenVINO does not convert."""

        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, ids):
            places = torch.arange(ids.shape[1])
            distance = places[:, None] - places[None, :]
            config = self.model.config

            def mask(window):
                visible = distance >= 0 if window is None else (distance >= 0) & (distance < window)
                return torch.where(visible, 0.0, torch.finfo(torch.float32).min)[None, None]

            masks = mask(None)
            if "sliding_attention" in (getattr(config, "layer_types", None) or []):
                masks = {"full_attention": masks, "sliding_attention": mask(config.sliding_window)}
            logits = self.model(ids, attention_mask=masks, position_ids=places[None], use_cache=False).logits
            return torch.log_softmax(logits[:, :-1], -1).gather(-1, ids[:, 1:, None])[..., 0]

    base = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32).eval()
    for file, model in (("base.xml", base), ("ref.xml", weaken(base, heads))):
        with torch.inference_mode():
            converted = openvino.convert_model(LogProbabilities(model), example_input=(torch.randint(0, 1000, (1, 64)),),
                                               input=[openvino.PartialShape([1, -1])])
        openvino.save_model(converted, folder / file, compress_to_fp16=False)


def main():
    parser = peer_parser(__doc__)
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--convert", type=Path, metavar="FOLDER", help="only convert the models, into FOLDER")
    args = parser.parse_args()
    if args.convert:
        convert(args.model, args.heads, args.convert)
        return
    import numpy
    import openvino
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": args.precision}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, *sys.argv, "--convert", folder], check=True, stdout=subprocess.DEVNULL)
        models = [core.compile_model(f"{folder}/{name}.xml", "CPU", settings) for name in ("base", "ref")]
    traces = [json.loads(line) for line in open(args.traces)]
    for model in models:  # what a first run makes
        model([numpy.array([traces[0]["ids"]])])
    total = [0.0, 0.0]
    start = time.perf_counter()
    for trace in traces:
        ids = numpy.array([trace["ids"]])
        for i, model in enumerate(models):
            total[i] -= float(model([ids])[0][0, trace["response_begin"] - 1:].sum())
    seconds = time.perf_counter() - start
    print_result(traces, seconds, total, version=openvino.__version__.split("-")[0])


if __name__ == "__main__":
    main()
