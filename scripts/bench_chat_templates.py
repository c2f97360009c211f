"""The benchmark of chat templates: what one core renders of each, compiled once.

    python3 scripts/bench_chat_templates.py [--build build/release] [--runs 5] [NAME ...]

Renders two conversations with tests/render_templates: a short prompt (a system message and a question of GSM8K), and one of
100 turns (questions and answers of GSM8K, about 270 characters each). Prints prompts a second and milliseconds a conversation, the
medians of RUNS, in seconds of the processor. NAMEs are templates of trl's package; the default are 15 common ones. Exits with 1 when one renders fewer than
20,000 short prompts a second or takes 5 ms for the long conversation.
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "golden")]
from air_runner import GSM8K  # noqa: E402
from chat_cases import templates  # noqa: E402

LEAST_PROMPTS, MOST_MILLISECONDS, NUM_TURNS = 20_000, 5, 100
NAMES = ("qwen3", "qwen2_5", "qwen3_instruct_2507", "qwen3_5_think", "llama3", "llama3_1", "gemma", "gemma3", "phi3", "deepseekv3", "cohere2",
         "gptoss", "glm4moe", "lfm2", "smolvlm")


def conversations():
    """(name, messages, repetitions)"""
    lines = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]
    turns = [{"role": role, "content": line[field]} for line in lines
             for role, field in (("user", "prompt"), ("assistant", "response"))][:NUM_TURNS]
    assert len(turns) == NUM_TURNS
    yield "short", turns[:1], 2000
    yield "long", turns, 40


def seconds(build, template, messages, repetitions):
    variables = {"messages": messages, "add_generation_prompt": True, "tools": None, "documents": None, "bos_token": "<s>",
                 "eos_token": "</s>"}
    task = json.dumps({"template": template, "variables": variables}) + "\n"
    out = subprocess.run([build / "tests" / "render_templates", str(repetitions)], input=task.encode(), capture_output=True, check=True).stdout
    result = json.loads(out)
    if "error" in result:
        sys.exit(result["error"])
    return result["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", default=NAMES)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    found, slow = templates(), []
    print(f"{'template':24} {'prompts/s':>10} {'ms for ' + str(NUM_TURNS) + ' turns':>18}")
    for name in options.names:
        times = {kind: statistics.median(seconds(options.build, found[f"trl/{name}"], messages, repetitions) for _ in range(options.runs))
                 for kind, messages, repetitions in conversations()}
        rate, milliseconds = 1 / times["short"], 1000 * times["long"]
        print(f"{name:24} {rate:10,.0f} {milliseconds:18.2f}", flush=True)
        if rate < LEAST_PROMPTS or milliseconds >= MOST_MILLISECONDS:
            slow.append(name)
    if slow:
        sys.exit("too slow: " + ", ".join(slow))


if __name__ == "__main__":
    main()
