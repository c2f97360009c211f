"""The planted case: half of the traces need retrieval by construction, half do not; loops or none.

facts: each prompt lists codes of people. A trace that needs retrieval states codes of the list. The
others state codes that no prompt gives (hard: nobody can know them), or facts of common knowledge
(easy: no prompt is needed). words: for the model of scripts/make_planted_model.py, which knows words
and nothing else; responses repeat a sentence of the prompt, or are fresh words.

A looped trace says a part of itself again and again, which heads that copy help with, whatever the
trace needs.
"""
import json
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import StudyError
from .air import run_air
from .files import read_records, write_json, write_lines
from .stats import auc

NAMES = ("Alice Bruno Clara David Elena Felix Greta Henry Irene Jonas Karen Louis Maria Nadia Oscar "
         "Paula Quinn Robin Sarah Tomas Ursula Victor Wanda Xavier Yusuf Zelda").split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = ("January February March April May June July August September October November "
          "December").split()
FACTS, STATED, LOOPS = 8, 4, 12
EXCLUDED_COPIES = 8


@dataclass(frozen=True)
class Condition:
    """Which share of each kind of traces loops."""

    name: str
    loops_if_needed: float
    loops_if_not: float


CONDITIONS = (Condition("no loops", 0, 0), Condition("half of all loop", 0.5, 0.5),
              Condition("half of those without need loop", 0, 0.5))


def fact(name, draw):
    return f"The code of {name} is {draw.randrange(10_000, 100_000)}."


def common_fact(draw):
    kind = draw.randrange(3)
    if kind == 0:
        at = draw.randrange(6)
        return f"The day after {DAYS[at]} is {DAYS[at + 1]}."
    if kind == 1:
        at = draw.randrange(11)
        return f"The month after {MONTHS[at]} is {MONTHS[at + 1]}."
    a, b = draw.randrange(2, 10), draw.randrange(2, 10)
    return f"The sum of {a} and {b} is {a + b}."


def fact_trace(needed, hard, draw):
    """(prompt, lines of the response)."""
    names = draw.sample(NAMES, FACTS + STATED)
    listed = [fact(name, draw) for name in names[:FACTS]]
    prompt = "Remember these codes.\n" + "\n".join(listed) + "\nState some facts."
    if needed:
        return prompt, draw.sample(listed, STATED)
    if hard:
        return prompt, [fact(name, draw) for name in names[FACTS:]]
    return prompt, [common_fact(draw) for _ in range(STATED)]


def word_trace(needed, _, draw):
    """Words that the planted model has a token for."""
    from make_planted_model import probe_words
    words = [word for word in probe_words() if word.startswith(" ") and word[1:].islower()]
    sentences = ["".join(draw.choices(words, k=12)) + "." for _ in range(STATED)]
    fresh = ["".join(draw.choices(words, k=12)) + "." for _ in range(STATED)]
    return "\n".join(sentences), sentences if needed else fresh


KINDS = {"facts": fact_trace, "words": word_trace}


def looped(lines, draw):
    """The first half of the lines, a part of which then comes again and again."""
    kept = lines[:len(lines) // 2]
    part = kept[-draw.choice((1, 2)):]
    return kept + part * LOOPS


def make_records(condition, text, count, seed):
    """Records with `needs_retrieval` and `loops`; equally many of both kinds."""
    draw = random.Random(f"{seed} {condition.name}")
    records = []
    for index in range(count):
        needed = index % 2 == 0
        prompt, lines = KINDS[text](needed, index % 4 == 1, draw)
        share = condition.loops_if_needed if needed else condition.loops_if_not
        # every other one of a kind, whether hard or easy
        loops = share > 0 and (index // 4) % round(1 / share) == 0
        records.append({"id": f"{index}", "needs_retrieval": needed, "loops": loops,
                        "prompt": prompt,
                        "response": "\n".join(looped(lines, draw) if loops else lines)})
    return records


def _order_scores(scored, by):
    """{id: score} that falls along the order of `air select --by`."""
    text = run_air("select", "-q", scored, "--by", by, "--top-percent", 100, "--columns", "id")
    ids = text.splitlines()[1:]
    return {name: -place for place, name in enumerate(ids)}


def aucs(records, scored, without_copies):
    """{score: AUC for needing retrieval}."""
    labels = [record["needs_retrieval"] for record in records]

    def of(path, number):
        values = {r["id"]: r["air"][number] for r in read_records(path)}
        # no token is left: nothing says that the trace needs retrieval
        lowest = min((v for v in values.values() if v is not None), default=0) - 1
        column = (values[record["id"]] for record in records)
        return auc([lowest if v is None else v for v in column], labels)
    found = {name: of(scored, name)
             for name in ("influence", "divergence", "controlled", "base_nll", "repetition")}
    order = _order_scores(scored, "residual:base_nll,repetition")
    found["residual:base_nll,repetition"] = auc([order[r["id"]] for r in records], labels)
    for name in ("influence", "divergence"):
        found[f"{name}, --exclude-copies {EXCLUDED_COPIES}"] = of(without_copies, name)
    return found


def run_condition(condition, arguments, folder):
    records = make_records(condition, arguments.text, arguments.traces, arguments.seed)
    source = folder / "traces.jsonl"
    write_lines(source, [json.dumps(record) for record in records])
    scored, without_copies = folder / "scored.jsonl", folder / "without_copies.jsonl"
    common = ["score", "-q", "--model", arguments.model, "--heads", arguments.heads, source]
    run_air(*common, "--controls", 2, "-o", scored)
    run_air(*common, "--exclude-copies", EXCLUDED_COPIES, "-o", without_copies)
    return aucs(records, scored, without_copies)


def lines_of(found):
    """A Markdown table: scores down, conditions across."""
    conditions = list(found)
    lines = [f"| score | {' | '.join(conditions)} |", "| --- " * (len(conditions) + 1) + "|"]
    for score in found[conditions[0]]:
        cells = [f"{found[condition][score]:.2f}" for condition in conditions]
        lines.append(f"| {score} | {' | '.join(cells)} |")
    return lines


def command(arguments):
    if arguments.traces < 8:
        raise StudyError(f"--traces {arguments.traces}: at least 8")
    found = {}
    for condition in CONDITIONS:
        print(f"study: {condition.name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found[condition.name] = run_condition(condition, arguments, Path(folder))
    print("\n".join(lines_of(found)))
    if arguments.output:
        write_json(arguments.output, {"model": arguments.model.name, "text": arguments.text,
                                      "traces": arguments.traces, "seed": arguments.seed,
                                      "auc": found})
