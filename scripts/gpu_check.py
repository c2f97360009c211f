#!/usr/bin/env python3
"""What must hold on a GPU, and how fast it is: one short run on a machine that has Python with torch, transformers and tokenizers,
and needs no network. The kit is made by scripts/gpu_kit.sh.

    python3 scripts/gpu_check.py KIT OUT                      all steps, in at most --budget seconds
    python3 scripts/gpu_check.py KIT OUT --only speed,laws    some of them; what they need is made first
    python3 scripts/gpu_check.py KIT OUT --device cpu         the same steps at small sizes: does the check itself run?

Every step has a time limit of its own, and a failure ends that step alone. OUT/results.json is written after each step; a short
table comes last. Exit code: 0 all that was to hold holds, 1 something does not, or a step failed.
"""
import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
# transformers looks for kernels of some families (Mamba-2) on the Hub: no step waits for a network.
os.environ["HF_HUB_OFFLINE"] = "1"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kit", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="step,step")
    parser.add_argument("--budget", type=float, default=285, help="seconds in all; on the CPU four times as many, as of each step")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tokens", type=int, help="of the longest traces that are timed; default 4096")
    parser.add_argument("--torch-lib", type=Path, help="libraries of the torch that the kit was built against; default: Python's torch")
    parser.add_argument("--model", type=Path, help="a published model's folder, for the step `published`")
    parser.add_argument("--work", type=Path, help="folder for models of up to 25 GB; default: memory, if there is enough")
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)  # after a restart: see restart_without
    return parser.parse_args()


ARGS = parse_arguments()
# The CPU stands in with sizes that are small, but not that small.
TIMES = 4 if ARGS.device == "cpu" else 1
BEGAN = ARGS.began or time.time()
from gpu_checks import environment, families, laws, parts, planted, profile, published, speed  # noqa: E402
from gpu_checks.context import Context  # noqa: E402

# name: (seconds, function, whether a run of all steps has it). In this order.
STEPS = {
    "environment": (30, environment.environment, True),
    "planted": (50, planted.planted, True),
    "families": (110, families.families, True),
    "make_models": (70, speed.make_models, True),
    "speed": (120, speed.speed, True),
    "their_speed": (60, speed.their_speed, True),
    "laws": (75, laws.laws, True),
    "parts": (50, parts.parts, True),
    "long_traces": (90, laws.long_traces, True),
    "published": (120, published.published, False),
    "ratios": (200, speed.ratios, False),
    "memcheck": (150, planted.memcheck, False),
    "without_kernels": (60, speed.without_kernels, False),
    "profile": (90, profile.profile, False),
}
NEEDS_MODELS = {"speed", "their_speed", "laws", "long_traces", "ratios", "without_kernels", "profile"}


class StepTimeout(BaseException):
    """Not an Exception: no step takes it for one of its own."""


def chosen_steps():
    names = [name for name in ARGS.only.split(",") if name]
    if unknown := set(names) - set(STEPS):
        sys.exit(f"gpu_check: error: no step {', '.join(sorted(unknown))} (known: {', '.join(STEPS)})")
    if not names:
        return [name for name, (_, _, usual) in STEPS.items() if usual]
    if NEEDS_MODELS & set(names) and "make_models" not in names:
        names.append("make_models")
    return [name for name in STEPS if name in names]


def run_step(name, context, seconds):
    def stop(*_):
        raise StepTimeout(f"stopped after {seconds:.0f} s")
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        context.attempt(STEPS[name][1])
    except StepTimeout as e:
        context.fail(str(e), at=traceback.format_exc().splitlines()[-6:])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def restart_without(context, done):
    """An error of the device stays with the process that had it: the other steps run in a new one."""
    rest = [name for name in chosen_steps() if name not in done]
    if rest:
        speed.stop_making(context)
        print("gpu_check: a new process after an error of the device", flush=True)
        # The last of an option's values counts.
        os.execv(sys.executable, [sys.executable, *sys.argv, f"--only={','.join(rest)}", f"--began={BEGAN}"])


def main():
    context = Context(ARGS, go_on=ARGS.began is not None)
    steps = chosen_steps()
    for name in steps:
        if name != "environment" and "make_models" in steps:
            speed.start_making(context)     # beside the steps that measure nothing
        context.begin(name)
        left = TIMES * ARGS.budget - (time.time() - BEGAN)
        begin = time.time()
        if left < 8:
            context.fail("not run: no time left")
        else:
            run_step(name, context, min(TIMES * STEPS[name][0], left - 3))
        context.end(time.time() - begin)
        if context.lost_device:
            restart_without(context, context.results)
    speed.stop_making(context)
    print(context.table(time.time() - BEGAN))
    sys.exit(1 if context.failures() else 0)


if __name__ == "__main__":
    main()
