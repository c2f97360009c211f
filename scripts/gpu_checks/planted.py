"""The command line end to end on the model with two planted heads."""
import json
from concurrent.futures import ThreadPoolExecutor

import torch

from gpu_checks.context import cuda_tool, difference, token_values
from gpu_checks.families import Window

KEYS = ("base_nll", "ref_nll", "entropy")
TIMES_THEIRS = 2.0      # what float32 may be from float64, in transformers' own distance


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
    names = names.result()
    context.expect(names == ["1-5", "1-12"], f"find-heads finds the planted heads: {names}")
    exact_losses(context)


def exact_losses(context):
    """Attention so sharp shows every rounding: float32 is held against float64, by what float32 costs transformers."""
    golden = json.loads((context.kit / "planted.json").read_text())
    window = Window(context, {})
    answer = window.ask({"model": str(context.kit / "planted"), "dtype": "float32", "device": context.device, "logits": False,
                         "sequences": golden["sequences"], "variants": golden["variants"]})
    window.close()
    if not context.expect("error" not in answer, f"planted model's losses: {answer.get('error', 'no error')}"):
        return
    keep, begin = [], 0
    for ids in golden["sequences"]:
        keep += range(begin, begin + len(ids) - 1)
        begin += len(ids)
    errors = (torch.tensor(answer["nll"], dtype=torch.float64)[:, keep] - torch.tensor(golden["nll"], dtype=torch.float64)).abs()
    theirs = golden["transformers in float32"]
    pairs = {name: [f"{a:.1e} ({b:.1e})" for a, b in zip(found.tolist(), theirs[name])]
             for name, found in (("max", errors.amax(1)), ("mean", errors.mean(1)))}
    context.record("from float64, base and masked; transformers' on the CPU in brackets", pairs)
    context.expect(all(a <= TIMES_THEIRS * b for a, b in zip(errors.mean(1).tolist(), theirs["mean"])),
                   f"planted model in float32: mean distance from float64 at most {TIMES_THEIRS} times transformers'")


def memcheck(context):
    """Runs under compute-sanitizer, which sees where a tensor ends only where each has memory of its own. Calls of the driver that
    return an error are listed and not judged: libtorch makes some to see what there is."""
    tool = cuda_tool("compute-sanitizer")
    if not tool or not context.on_gpu:
        context.record("memcheck", "no compute-sanitizer here" if not tool else "only on a GPU")
        return
    traces = context.work / "memcheck.jsonl"
    traces.write_text("".join((context.kit / "gsm8k_50.jsonl").read_text().splitlines(keepends=True)[:4]))
    for dtype in ("bfloat16", "float32"):
        said = under_memcheck(context, tool, dtype, traces, "--report-api-errors", "no")
        context.expect(any("ERROR SUMMARY: 0 errors" in line for line in said), f"memcheck, {dtype}: {' | '.join(said[:12])[:1200]}")
    calls = under_memcheck(context, tool, "bfloat16", traces)
    context.record("with calls that return an error", [line for line in calls if "Program hit" in line or "SUMMARY" in line][:12])


def under_memcheck(context, tool, dtype, traces, *options):
    """What the tool says of a run of `air score`; memcheck.txt has all of it."""
    # The tool watches the program that it starts, and air becomes air-torch.
    done = context.run([tool, "--tool", "memcheck", *options, context.kit / "bin" / "air-torch", "score", "--model", context.kit / "planted",
                        "--heads", "1-5,1-12", "--device", context.device, "--dtype", dtype, "-o", context.work / "memcheck.out.jsonl", traces],
                       limit=60, check=False, env={"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"})
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("=========")]
    with open(context.out / "memcheck.txt", "a", encoding="utf-8") as file:
        file.write("\n".join([f"{dtype} {' '.join(options)}", *said]) + "\n")
    return said
