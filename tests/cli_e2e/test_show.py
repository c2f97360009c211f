"""`air show`: scored traces as a person reads them, with the numbers that the file has."""
import json
import re

import pytest
from air_runner import fail, on_terminal, succeed

ESC = "\x1b"


def scored_line(number, tokens=False):
    texts = [f"First of {number}.\nIts second line.\n\n", "π is 3.\n\n", f"{ESC}[2J the answer."]
    begin, steps = 0, []
    for i, text in enumerate(texts):
        end = begin + len(text.encode())
        steps.append({"begin": begin, "end": end, "num_tokens": 4, "base_nll": 0.5 + i, "ref_nll": 0.75 + 2 * i, "entropy": 0.4,
                      "influence": 0.25 - 0.5 * i, "weight": 0.5 * (i + 1)})
        begin = end
    air = {"schema": "air.score/1", "rank": number + 1, "line": 9 - number, "influence": 1 - number, "divergence": 0.5, "base_nll": 1.5, "ref_nll": 2,
           "entropy": 0.4, "num_tokens": 12, "num_prompt_tokens": 5 + number, "num_steps": 3, "repetition": 2.5, "steps": steps}
    if tokens:
        begins = [0, 5, steps[1]["begin"], steps[1]["begin"] + 1, steps[1]["begin"] + 2, steps[2]["begin"]]
        air["tokens"] = {"ids": [1] * 6, "begin": begins, "base_nll": [1] * 6, "ref_nll": [1, 1.5, 3, 1, 2, 0.25], "entropy": [0] * 6}
    return json.dumps({"id": f"t{number}", "prompt": "What is π?", "response": "".join(texts), "air": air}, ensure_ascii=False) + "\n"


@pytest.fixture
def scored(tmp_path):
    path = tmp_path / "scored.jsonl"
    path.write_text("".join(map(scored_line, range(4))), encoding="utf-8")
    return path


def test_steps_stand_beside_their_numbers(scored):
    shown = succeed("show", scored, "--first", "1").decode()
    assert shown.startswith("t0: rank 1, influence +1.000 (loss 1.500 -> 2.000 nats per token, 12 tokens, 3 steps), repetition 2.50\nuser: What is π?\n")
    assert re.search(r"^ +\+0\.250 +0\.500 +0\.50 +4   First of 0\.\n {38}Its second line\.$", shown, re.MULTILINE)
    assert re.search(r"^ +-0\.250 +1\.500 +1\.00 +4   π is 3\.$", shown, re.MULTILINE)
    assert ESC not in shown and "␛[2J the answer." in shown, "no trace sends commands to a terminal"
    assert shown.endswith("In all: 4 traces, 12 steps, 48 response tokens; the longest has 20 tokens with its prompt\n")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_steps_are_broken_to_fit_a_terminal(columns, tmp_path):
    words = " ".join(f"wörd{i}" for i in range(60)) + " " + "x" * 90
    line = json.loads(scored_line(0, tokens=True))
    line["response"] = words + "\n\n"
    end = len(line["response"].encode())
    begins = list(range(0, end, 7))
    n = len(begins)
    line["air"]["steps"] = [line["air"]["steps"][0] | {"end": end, "num_tokens": n}]
    line["air"] |= {"num_steps": 1, "num_tokens": n}
    line["air"]["tokens"] = {"ids": [1] * n, "begin": begins, "base_nll": [1] * n, "ref_nll": [2] * n, "entropy": [0] * n}
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    shown = on_terminal(columns, "show", path, "--tokens", "--color", "never")
    of_step = shown.split("tokens   step\n")[1].split("\n\n")[0].splitlines()
    assert max(map(len, of_step)) <= columns and all(line.startswith(" ") for line in of_step)
    texts = [line[38:] for line in of_step]
    said = " ".join(text for text in texts if "(+" not in text)
    assert said.replace(" ", "") == words.replace(" ", ""), "nothing is lost"
    assert len([text for text in texts if "(+" in text]) > 1
    whole = succeed("show", path, "--tokens").decode()
    assert words in whole, "what is no terminal gets lines as they are"


def names(output):
    return re.findall(r"^(t\d+): rank", output.decode(), re.MULTILINE)


def test_the_first_and_the_last(scored):
    assert names(succeed("show", scored)) == ["t0", "t1", "t2", "t3"]
    assert names(succeed("show", scored, "--first", "1", "--last", "1")) == ["t0", "t3"]
    assert names(succeed("show", scored, "--first", "3", "--last", "3")) == ["t0", "t1", "t2", "t3"]
    assert names(succeed("show", "-", "--last", "2", stdin=scored.read_bytes())) == ["t2", "t3"]
    assert names(succeed("show", scored, "--id", "t2")) == ["t2"]
    assert 'no trace has the id "t9"' in fail(3, "show", scored, "--id", "t9")


def test_colours_rank_the_steps(scored):
    def colours(*flags):
        return re.findall(ESC + r"\[38;5;(\d+)m", succeed("show", scored, "--first", "1", "--color", "always", *flags).decode())
    falling = colours()
    assert len(falling) == 4, "a step of two lines has its colour twice"
    assert falling[0] == falling[1] and len(set(falling)) == 3
    assert colours("--by", "loss") == colours("--by", "weight") == [falling[3], falling[3], falling[2], falling[0]]
    assert ESC + "[38" not in succeed("show", scored).decode(), "a pipe has no colours"


def test_single_tokens(scored, tmp_path):
    path = tmp_path / "tokens.jsonl"
    path.write_text(scored_line(0, tokens=True), encoding="utf-8")
    shown = succeed("show", path, "--tokens").decode()
    assert "First(+0.00)| of 0.⏎Its second line.⏎⏎(+0.50)\n" in shown
    assert "π(+2.00)| is 3.⏎⏎(+1.00)\n" in shown, "a token that begins inside a character is shown with the one before it"
    assert "␛[2J the answer.(-0.75)\n" in shown
    assert "air score --token-losses" in fail(3, "show", scored, "--tokens")


def test_heads_come_first(scored, tmp_path):
    heads = tmp_path / "heads.json"
    heads.write_text(json.dumps({
        "schema": "air.heads/1", "model": {"model_type": "llama", "num_hidden_layers": 3, "num_attention_heads": 2, "fingerprint": "f"},
        "probes": {"kind": "needle", "num_probes": 10, "num_answered": 9, "lengths": [256], "depths": [0.5], "seed": 0},
        "fraction": 0.2, "heads": ["1-0", "2-1"], "scores": [[0, 0], [0.9, 0.1], [0, 0.5]]}))
    assert succeed("show", scored, "--heads", heads).decode().startswith(
        "Retrieval heads: 2 of 6, from 9 of 10 probes that the model answered\n  layer-head  score\n         1-0  0.900\n         2-1  0.500\n\nt0: ")


def test_what_is_not_scored_is_named(tmp_path):
    path = tmp_path / "traces.jsonl"
    path.write_text('{"prompt":"a","response":"b"}\n')
    assert 'no field "air"' in fail(3, "show", path)
    path.write_text("")
    assert "nothing to show" in fail(3, "show", path)
