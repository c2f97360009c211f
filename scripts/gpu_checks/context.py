"""What the steps share: where things lie, how air is run, what came out so far."""
import json
import os
import shutil
import subprocess
import threading
import time
import traceback
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent.parent


class ProgramFailed(RuntimeError):
    """A program that was run ended with another exit code than 0; its device is none of ours."""


def cuda_tool(name):
    """The path of a program of the CUDA toolkit, whose folder is often not on the PATH; None where it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/cuda/bin")


class Context:
    """Results are figures by step and name. A step says what must hold by expect(); all else is measured only."""

    def __init__(self, args, go_on):
        self.kit, self.out, self.device = args.kit.resolve(), args.out.resolve(), args.device
        self.on_gpu = args.device == "cuda"
        self.model = args.model.resolve() if args.model else None
        self.tokens = args.tokens or (4096 if self.on_gpu else 96)
        self.out.mkdir(parents=True, exist_ok=True)
        self.work = (args.work or usual_work_folder(self.on_gpu)).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        torch_lib = args.torch_lib or Path(torch.__file__).parent / "lib"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("AIR_")}
        self.environment["LD_LIBRARY_PATH"] = f"{torch_lib}:{self.kit / 'lib'}"
        self.file = self.out / "results.json"
        self.results = json.loads(self.file.read_text()) if go_on and self.file.exists() else {}
        self.step, self.making, self.lost_device = None, None, False
        # Importing it takes 10 s and more: meanwhile air runs in processes of its own.
        self.importing = threading.Thread(target=lambda: __import__("transformers").AutoModelForCausalLM, daemon=True)
        self.importing.start()

    # ---- results -----------------------------------------------------------------------------------------------------

    def begin(self, step):
        self.step = step
        self.results[step] = {}

    def note(self, **figures):
        self.results[self.step].update(figures)

    def record(self, name, value):
        """Figures of a name that is no word of Python; written at once."""
        self.results[self.step][name] = value
        self.write()
        return value

    def expect(self, holds, what):
        if not holds:
            self.fail(what)
        else:
            self.results[self.step].setdefault("holds", []).append(what)
        return holds

    def fail(self, what, **more):
        self.results[self.step].setdefault("FAILED", []).append(what)
        self.note(**more)

    def attempt(self, function, *arguments):
        """Runs a part of a step, which fails alone: function(context, …)."""
        if self.lost_device:
            return
        try:
            function(self, *arguments)
        except Exception as e:
            self.lost_device = is_lost(str(e)) and not isinstance(e, ProgramFailed)
            self.fail(f"{type(e).__name__}: {str(e)[:1500]}", at=traceback.format_exc().splitlines()[-6:])
        if self.on_gpu and not self.lost_device:
            torch.cuda.empty_cache()

    def end(self, seconds):
        self.note(seconds=round(seconds, 1))
        self.write()
        failed = self.results[self.step].get("FAILED", [])
        print(f"gpu_check: {self.step}: {seconds:.1f} s{', FAILED' if failed else ''}", flush=True)

    def write(self):
        self.file.write_text(json.dumps(self.results, indent=1, default=str))

    def failures(self):
        return {step: figures["FAILED"] for step, figures in self.results.items() if "FAILED" in figures}

    def table(self, seconds, limit=9000):
        """What to read first: failures, then figures. Long lines are cut so far that it is no longer than the limit."""
        for width in (600, 450, 350, 250, 180, 120, 80):
            lines = [f"gpu_check: {seconds:.0f} s on {self.device}"]
            for step, failed in self.failures().items():
                lines += [f"FAILED {step}: {' '.join(text.split())}"[:width] for text in failed]
            for step, figures in self.results.items():
                lines.append(f"-- {step}: {figures.get('seconds')} s")
                lines += [f"  holds: {text}"[:width] for text in figures.get("holds", [])]
                lines += [f"  {name}: {shortened(value)}"[:width] for name, value in figures.items()
                          if name not in ("FAILED", "at", "holds", "seconds")]
            if sum(len(line) + 1 for line in lines) <= limit:
                break
        return "\n".join(lines)[:limit]

    # ---- air ---------------------------------------------------------------------------------------------------------

    def run(self, command, limit=60, env=None, check=True, **more):
        """A finished process; what it said on stderr is kept in OUT/commands.log. @raises ProgramFailed with what it said, for an exit code other than 0 with check."""
        begin = time.perf_counter()
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        done = subprocess.run(list(map(str, command)), text=True, timeout=limit, env=self.environment | (env or {}), **streams)
        with open(self.out / "commands.log", "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(map(str, command))}\nexit {done.returncode} after {time.perf_counter() - begin:.1f} s\n{done.stderr}\n")
        if check and done.returncode != 0:
            raise ProgramFailed(f"exit {done.returncode}: {' '.join(map(str, command))[:400]}\n{done.stderr[-1500:]}")
        return done

    def air(self, *arguments, **options):
        return self.run([self.kit / "bin" / "air", *arguments], **options)

    def score(self, model, heads, traces, out, *more, device=None, dtype="auto", **options):
        """A run of air score: (the process, its manifest or None, seconds of the whole process)."""
        begin = time.perf_counter()
        done = self.air("score", "--model", model, "--heads", heads, "--device", device or self.device, "--dtype", dtype,
                        "--order", "input", "-o", out, *more, traces, **options)
        seconds = time.perf_counter() - begin
        manifest = Path(f"{out}.manifest.json")
        return done, json.loads(manifest.read_text()) if done.returncode == 0 else None, seconds

    def transformers(self):
        """The module, silent. Two threads must not import it at a time."""
        self.importing.join()
        import transformers
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        return transformers

    def synchronize(self):
        if self.on_gpu:
            torch.cuda.synchronize()


def usual_work_folder(on_gpu):
    """Memory where the models fit beside what else is in it."""
    shared = Path("/dev/shm")
    fits = on_gpu and shared.is_dir() and shutil.disk_usage(shared).free > 32 << 30
    return (shared if fits else Path("/tmp")) / "air_gpu_check"


def is_lost(text):
    """Whether an error leaves the process without a usable device."""
    words = ("CUDA error", "device-side assert", "illegal memory access", "unspecified launch failure", "CUBLAS_STATUS_EXECUTION_FAILED")
    return any(word in text for word in words) and "out of memory" not in text


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def token_values(path, key):
    """Of all response tokens, in the file's order: written with --token-losses."""
    return torch.tensor([x for row in read_lines(path) for x in row["air"]["tokens"][key]], dtype=torch.float64)


def difference(a, b):
    assert a.shape == b.shape, (a.shape, b.shape)
    d = (a - b).abs()
    return {"max": d.max().item(), "mean": d.mean().item()}


def shortened(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shortened(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(shortened, value)) + "]"
    return str(value)
