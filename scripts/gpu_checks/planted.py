"""The command line end to end on the model with two planted heads."""
import json
from concurrent.futures import ThreadPoolExecutor

from gpu_checks.context import difference, token_values

KEYS = ("base_nll", "ref_nll", "entropy")
LIMIT = 1e-4


def planted(context):
    model, traces = context.kit / "planted", context.kit / "gsm8k_50.jsonl"

    def scored(device, dtype):
        out = context.work / f"planted.{device}.{dtype}.jsonl"
        context.score(model, "1-5,1-12", traces, out, "--token-losses", "--quiet", device=device, dtype=dtype)
        return [token_values(out, key) for key in KEYS]

    def find():
        heads = context.work / "planted.heads.json"
        context.air("find-heads", "--model", model, "--device", context.device, "--dtype", "float32", "--lengths", "384,512",
                    "--num-probes", "16", "--quiet", "-o", heads)
        return json.loads(heads.read_text())["heads"]

    with ThreadPoolExecutor(4 if context.on_gpu else 1) as pool:
        runs = {dtype: pool.submit(scored, context.device, dtype) for dtype in ("float32", "bfloat16")}
        expected, names = pool.submit(scored, "cpu", "float32"), pool.submit(find)
    expected = expected.result()
    for dtype, run in runs.items():
        found = run.result()
        context.record(f"{dtype} against the CPU in float32", {key: difference(a, b) for key, a, b in zip(KEYS, expected, found)})
        if dtype == "float32":
            worst = max(difference(a, b)["max"] for a, b in zip(expected, found))
            context.expect(worst < LIMIT, f"planted model in float32: {worst:.1e} from the CPU, limit {LIMIT}")
    names = names.result()
    context.expect(names == ["1-5", "1-12"], f"find-heads finds the planted heads: {names}")
