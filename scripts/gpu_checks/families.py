"""Every family: float32 against the carried losses, which are float64's; bfloat16 and float16 against transformers in the same dtype
on the same device."""
import json
import subprocess
import threading
import time
from statistics import mean

import torch

from gpu_checks.context import is_lost

LIMIT = 1e-4            # nats, of every token in float32; transformers in float32 on the CPU is within half of it (gpu_golden.py)
WORSE = 1.3             # times the error of transformers in the same dtype, for one configuration to be listed
HALVES = ("bfloat16", "float16")
MAX_RESTARTS = 6
NOT_FINITE = "losses that are not finite"


class Window:
    """dump_logits, fed line by line. One that an error of the device or a crash has spoilt is started anew."""

    def __init__(self, context, env):
        self.command = [context.kit / "bin" / "dump_logits"]
        self.env = context.environment | {"OMP_NUM_THREADS": "1"} | env
        self.process, self.restarts = None, 0

    def ask(self, job):
        if self.process is None:
            if self.restarts > MAX_RESTARTS:
                return {"error": "not run: too many restarts"}
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                            env=self.env)
            self.said = []
            threading.Thread(target=self.listen, args=(self.process,), daemon=True).start()
        process = self.process
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": f"the process ended with {process.wait()}: {' '.join(self.said[-3:])[-300:]}"}
        if not line or is_lost(answer.get("error", "")):
            answer["error"] = "LOST THE DEVICE: " + answer["error"]
            self.close()
            self.restarts += 1
        return answer

    def listen(self, process):
        for line in process.stderr:
            self.said.append(line.rstrip())

    def close(self):
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()


def jobs_of(context, golden, dtype):
    """(key, job, rows of its answer that are compared, the same tokens of the golden losses, the golden job). Where a prompt is shared,
    only those rows are asked for: the last layer leaves out the others, as it does in `air score`."""
    plain, prompt = golden["sequences"], golden["prompt"]
    long, other, short = plain
    lengths = [len(ids) for ids in plain]
    begins = [0, lengths[0], lengths[0] + lengths[1]]
    # The packed rows that predict a token of the same text; the golden losses are of these, in this order.
    rows = [row for begin, length in zip(begins, lengths) for row in range(begin, begin + length - 1)]
    # [prompt | rest of long | rest of other | short]: a row of the prompt predicts the token of `long` that follows.
    shared_rows, shared_golden = list(range(lengths[0] - 1)), list(range(lengths[0] - 1))
    rest = lengths[1] - prompt
    shared_rows += range(lengths[0], lengths[0] + rest - 1)
    shared_golden += range(lengths[0] - 1 + prompt, lengths[0] + lengths[1] - 2)
    shared_rows += range(lengths[0] + rest, lengths[0] + rest + lengths[2] - 1)
    shared_golden += range(lengths[0] + lengths[1] - 2, len(rows))
    for job in golden["jobs"]:
        base = {"model": str(context.kit / "families" / job["model"]), "dtype": dtype, "device": context.device, "variants": job["variants"],
                "mode": job["mode"], "logits": False}
        name = job["model"] + (" zero" if job["mode"] == "zero" else "")
        yield (name, "plain"), base | {"sequences": plain}, rows, list(range(len(rows))), job
        if job["prefixes"]:
            shared = {"sequences": [long[:prompt], long[prompt:], other[prompt:], short], "prefix": [-1, 0, 0, -1], "output_rows": shared_rows}
            yield (name, "prompt shared"), base | shared, list(range(len(shared_rows))), shared_golden, job


class Comparison(threading.Thread):
    """All jobs in one dtype, through a window of its own."""

    def __init__(self, context, golden, dtype, env=None):
        super().__init__(daemon=True)
        self.context, self.golden, self.dtype = context, golden, dtype
        self.window = Window(context, env or {})
        self.worst, self.mean, self.base, self.errors, self.seconds = {}, {}, {}, {}, 0.0

    def run(self):
        begin = time.perf_counter()
        try:
            for key, job, rows, wanted, golden in jobs_of(self.context, self.golden, self.dtype):
                answer = self.window.ask(job)
                if "error" in answer:
                    self.errors[key] = answer["error"]
                    continue
                d = (torch.tensor(answer["nll"], dtype=torch.float64)[:, rows] - torch.tensor(golden["nll"], dtype=torch.float64)[:, wanted]).abs()
                if not d.isfinite().all():
                    self.errors[key] = NOT_FINITE
                    continue
                self.worst[key], self.mean[key], self.base[key] = d.max().item(), d.mean().item(), d[0].mean().item()
        except Exception as e:
            self.errors["", "all"] = f"{type(e).__name__}: {e}"
        finally:
            self.window.close()
            self.seconds = time.perf_counter() - begin


def families(context):
    golden = json.loads((context.kit / "families" / "losses.json").read_text())
    comparisons = {dtype: Comparison(context, golden, dtype) for dtype in ("float32", *HALVES)}
    if context.on_gpu:
        comparisons |= {f"{dtype}, without kernels": Comparison(context, golden, dtype, {"AIR_CUDA_KERNELS": "0"})
                        for dtype in ("float32", "bfloat16")}
    for comparison in comparisons.values():
        comparison.start()
    theirs, missing = {dtype: {} for dtype in HALVES}, {}
    try:
        for dtype in HALVES:
            context.attempt(their_errors, golden, dtype, theirs[dtype], missing)
        for comparison in comparisons.values():
            comparison.join()
    finally:
        for comparison in comparisons.values():
            comparison.window.close()
        write_details(context, comparisons, theirs)
        context.record("seconds of each", {name: round(c.seconds, 1) for name, c in comparisons.items()})
        for name, comparison in comparisons.items():
            half = comparison.dtype in HALVES
            judge(context, name, comparison, theirs[comparison.dtype] if half else None)
            if half:
                judge_half(context, name, comparison, theirs[comparison.dtype])
        context.record("models of transformers in half precision", {dtype: len(found) for dtype, found in theirs.items()})
        if missing:
            context.record("not read by this transformers", missing)


def judge(context, name, comparison, theirs=None):
    """No job ends in an error; in float32 each is within LIMIT. @param theirs models that transformers computes in this dtype:
    numbers of the others are too large for it"""
    num = len(comparison.worst) + len(comparison.errors)
    beyond_all = {key: text for key, text in comparison.errors.items() if text == NOT_FINITE and theirs is not None
                  and key[0].removesuffix(" zero") not in theirs}
    if beyond_all:
        context.record(f"{name}: not finite, of transformers neither", [" ".join(key) for key in beyond_all])
    texts = [f"{' '.join(key)}: {text[:160]}" for key, text in comparison.errors.items() if key not in beyond_all]
    context.expect(num > 0 and not texts, f"{name}: {len(texts)} of {num} jobs end in an error{': ' if texts else ''}{'; '.join(texts)[:500]}")
    if comparison.dtype != "float32" or not comparison.worst:
        return
    bad = sorted(((value, key) for key, value in comparison.worst.items() if value > LIMIT), reverse=True)
    listed = ", ".join(f"{' '.join(key)} {value:.1e}" for value, key in bad)
    context.expect(not bad, f"{name}: {len(comparison.worst) - len(bad)} of {len(comparison.worst)} within {LIMIT} of float64, "
                            f"worst {max(comparison.worst.values()):.1e}{': ' if bad else ''}{listed[:500]}")


def judge_half(context, name, comparison, theirs):
    """Of base models: means over the configurations that both have."""
    for way in ("plain", "prompt shared"):
        both = {model: (comparison.base[model, way], error) for model, error in theirs.items() if (model, way) in comparison.base}
        if not both:
            context.fail(f"{name}, {way}: nothing to compare with transformers")
            continue
        ours, reference = mean(a for a, _ in both.values()), mean(b for _, b in both.values())
        context.expect(ours <= reference, f"{name}, {way}: mean error {ours:.4f} nats over {len(both)} models, transformers {reference:.4f}")
        worse = {model: a / b for model, (a, b) in both.items() if a > WORSE * b}
        context.record(f"{name}, {way}: over {WORSE} times theirs", worse)


def their_errors(context, golden, dtype, found, missing):
    """Fills {model: mean error of transformers in this dtype over the tokens of the base model}, where its losses are finite, and, for
    each model that this transformers does not read, {model: why}."""
    transformers = context.transformers()
    for job in (job for job in golden["jobs"] if job["mode"] == "uniform"):
        folder = context.kit / "families" / job["model"]
        try:
            multimodal = hasattr(transformers.AutoConfig.from_pretrained(folder), "vision_config")
            kind = transformers.AutoModelForImageTextToText if multimodal else transformers.AutoModelForCausalLM
            model = kind.from_pretrained(folder, dtype=getattr(torch, dtype), attn_implementation="eager").to(context.device).eval()
            nll = torch.cat([their_losses(model, ids, context.device) for ids in golden["sequences"]])
            error = (nll - torch.tensor(job["nll"][0], dtype=torch.float64)).abs().mean()
            if error.isfinite():
                found[job["model"]] = error.item()
        except Exception as e:  # another version of transformers may not read every folder
            if is_lost(str(e)):
                raise       # this process has no device any more
            missing[job["model"]] = f"{type(e).__name__}: {str(e)[:100]}"


def their_losses(model, ids, device):
    for module in model.modules():      # `dynamic` keeps the frequencies of the longest text so far
        if hasattr(module, "original_inv_freq") and hasattr(module, "original_max_seq_len"):
            module.inv_freq = module.original_inv_freq.clone().to(device)
            module.max_seq_len_cached = module.original_max_seq_len
    with torch.inference_mode():
        log_p = model(torch.tensor([ids], device=device), use_cache=False).logits[0, :-1].double().log_softmax(-1)
    return -log_p.gather(1, torch.tensor(ids[1:], device=device).unsqueeze(1))[:, 0].cpu()


def write_details(context, comparisons, theirs):
    """All figures, to a file of their own."""
    details = {name: {" ".join(key): {"max": c.worst[key], "mean": c.mean[key], "base mean": c.base[key]} for key in c.worst}
               | {" ".join(key): text for key, text in c.errors.items()} for name, c in comparisons.items()}
    (context.out / "families.json").write_text(json.dumps(details | {f"transformers in {dtype}": found for dtype, found in theirs.items()}, indent=1))
