"""`air find-heads` on the planted model, whose two retrieval heads are 1-5 and 1-12."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

import pytest
from air_runner import REPOSITORY, air_binary, clean_environment, fail, records, run, succeed, write_records
from shuffled_model import make_shuffled_model

PLANTED = ["1-5", "1-12"]
QUICK = ["--lengths", "128", "--num-probes", "6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_planted_model.py", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def verify(tmp_path_factory):
    """Flags of a small --verify."""
    text = tmp_path_factory.mktemp("text") / "text.txt"
    text.write_text("The ferry left ten minutes late, which surprised nobody.")
    return ["--verify", "--verify-draws", "2", "--verify-text", text]


def find(folder, *flags):
    return json.loads(succeed("find-heads", "--model", folder, "-o", "-", *flags))


@pytest.mark.parametrize("kind", ["needle", "kv", "needle,kv"])
def test_every_kind_of_probe_finds_the_planted_heads(folder, kind):
    heads = find(folder, "--probes", kind, "--lengths", "1024", "--num-probes", "4")
    assert heads["heads"] == PLANTED
    assert heads["probes"]["kind"] == kind
    assert heads["probes"]["num_answered"] == heads["probes"]["num_probes"] == 4


def test_verify_tells_the_planted_heads_from_others(folder, verify):
    assert find(folder, "--import", ",".join(PLANTED), "--lengths", "128", *verify)["verify"]["serves_retrieval"] is True
    other = run("find-heads", "--model", folder, "-o", "-", "--import", "1-2,1-3", "--lengths", "128", *verify)
    assert other.returncode == 0
    assert json.loads(other.stdout)["verify"]["serves_retrieval"] is False
    assert "warning: verdict: the critical set is not special" in other.stderr.decode()


@pytest.fixture(scope="module")
def shuffled(folder, tmp_path_factory):
    return make_shuffled_model(folder, tmp_path_factory.mktemp("shuffled") / "model")


@pytest.mark.parametrize("kind", ["needle", "kv"])
def test_the_verdict_on_shuffled_weights_is_negative(shuffled, verify, tmp_path, kind):
    """Without --verify that is an error; with it, what the user asked has an answer."""
    flags = ["find-heads", "--model", shuffled, "--probes", kind, "--lengths", "384", "--num-probes", "4"]
    out = tmp_path / "heads.json"
    assert "none of the 4 probes" in fail(4, *flags, "-o", out)
    assert not list(tmp_path.iterdir())
    result = run(*flags, *verify, "-o", out)
    assert result.returncode == 0
    assert "warning: the model answers none of the 4 probes" in result.stderr.decode()
    assert "warning: verdict: no heads are shown to serve retrieval" in result.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["heads.json"]
    heads = json.loads(out.read_text())
    assert heads["heads"] == [] and "scores" not in heads
    assert heads["probes"]["num_answered"] == 0
    assert heads["verify"]["serves_retrieval"] is False
    traces = write_records(tmp_path / "traces.jsonl", [{"prompt": "a", "response": "b c"}])
    assert "heads.json: the critical set is empty" in run("score", "--model", shuffled, "--heads", out, traces).stderr.decode()


def test_the_planted_heads_do_nothing_once_the_weights_are_shuffled(shuffled, verify):
    result = run("find-heads", "--model", shuffled, "--import", ",".join(PLANTED), "--lengths", "128", *verify, "-o", "-")
    assert result.returncode == 0
    assert "warning: verdict: no heads are shown to serve retrieval" in result.stderr.decode()
    assert json.loads(result.stdout)["verify"]["serves_retrieval"] is False


def test_dumped_probes_read_back_give_the_same_scores(folder, tmp_path):
    dumped = tmp_path / "probes.jsonl"
    first = find(folder, *QUICK, "--dump-probes", dumped)
    again = find(folder, "--probes-file", dumped)
    assert again["scores"] == first["scores"]
    assert len(records(dumped.read_bytes())) == 6


def test_the_same_flags_give_the_same_bytes(folder):
    flags = ["find-heads", "--model", folder, "-o", "-", *QUICK]
    assert succeed(*flags) == succeed(*flags)
    assert succeed(*flags) != succeed(*flags, "--seed", "1")


def test_an_interrupted_run_goes_on(folder, tmp_path):
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    flags = ["find-heads", "--model", str(folder), "--lengths", "256", "--num-probes", "60"]
    succeed(*flags, "-o", whole)
    partial = tmp_path / "cut.json.partial"
    process = subprocess.Popen([air_binary(), *flags, "-o", str(cut)], env=clean_environment(), stderr=subprocess.PIPE)
    while process.poll() is None and (not partial.exists() or partial.read_bytes().count(b"\n") < 4):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130, "the run ended before it could be interrupted"
    assert not cut.exists()
    assert "--resume" in fail(2, *flags, "-o", cut)
    done = partial.read_bytes().count(b"\n") - 1
    assert f"{done} of 60 probes are done already" in run(*flags, "-o", cut, "--resume").stderr.decode()
    assert cut.read_bytes() == whole.read_bytes()
    assert not partial.exists()


def test_an_interrupt_while_it_verifies_ends_it(folder, verify, tmp_path):
    """F14: after the sample in hand, with the probes kept."""
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    flags = ["find-heads", "--model", str(folder), "--lengths", "128", "--num-probes", "4", *map(str, verify)]
    process = subprocess.Popen([air_binary(), *flags, "-o", str(cut)], env=clean_environment(), stderr=subprocess.PIPE)
    seen = b""
    while b"overlap of the critical sets" not in seen:  # the probes are done
        more = os.read(process.stderr.fileno(), 4096)
        assert more, seen
        seen += more
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert b"verifies again" in stderr and not cut.exists()
    assert "4 of 4 probes are done already" in run(*flags, "-o", cut, "--resume").stderr.decode()
    succeed(*flags, "-o", whole)
    assert cut.read_bytes() == whole.read_bytes()


def test_published_heads_become_a_heads_file(folder, tmp_path):
    theirs = tmp_path / "theirs.json"
    theirs.write_text(json.dumps({"0-1": [0, 0.5], "1-5": [0.9, 1], "1-0": [0.1]}))
    heads = find(folder, "--import", theirs, "--num-heads", "2")
    assert heads["heads"] == ["1-5", "0-1"]
    assert heads["scores"][1][5] == pytest.approx(0.95)


def test_the_picture_has_a_cell_a_head(folder, tmp_path):
    svg = tmp_path / "heads.svg"
    find(folder, *QUICK, "--svg", svg)
    titles = [title.text for title in xml.etree.ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}title")]
    assert sum(title.startswith("layer ") for title in titles) == 32
    assert any(title.startswith("layer 1 head 5:") and "critical" in title for title in titles)


@pytest.mark.parametrize("code, flags, says", [
    (2, ["--fraction", "0"], "--fraction"),
    (2, ["--fraction", "1.5"], "--fraction"),
    (2, ["--num-heads", "0"], "--num-heads: must be 1 or more"),
    (2, ["--num-heads", "-1"], "--num-heads: must be 1 or more"),
    (2, ["--num-heads", "33", *QUICK], "32 heads"),
    (2, ["--lengths", "50"], "50 is too short\nhint: needle probes for this model take from"),
    (2, ["--probes", "kv", "--lengths", "100"], "100 is too short\nhint: kv probes for this model take from"),
    (2, ["--lengths", "4097"], "4097 is above the model's context\nhint: needle probes for this model take from"),
    (2, ["--lengths", "4097"], "to its context of 4096; --beyond-context"),
    (2, ["--depths", "1.5"], "--depths"),
    (2, ["--probes", "riddle"], "riddle"),
    (2, ["--verify-text", "x.txt"], "needs --verify"),
    (3, ["--haystack", "no_such.txt"], "no_such.txt"),
    (3, ["--probes-file", "no_such.jsonl"], "no_such.jsonl"),
    (4, ["--import", "9-9"], "9-9"),
    (4, ["--import", "no_such.json"], "no_such.json"),
])
def test_what_is_wrong_is_named_and_nothing_is_written(folder, tmp_path, code, flags, says):
    assert says in fail(code, "find-heads", "--model", folder, "-o", tmp_path / "heads.json", *flags)
    assert not list(tmp_path.iterdir())


def test_a_probe_beyond_the_context_needs_a_flag(folder, tmp_path):
    short = tmp_path / "model"
    shutil.copytree(folder, short)
    config = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 150}))
    out, probes = tmp_path / "heads.json", tmp_path / "probes.jsonl"
    flags = ["find-heads", "--model", short, "--lengths", "200", "--num-probes", "2", "--dump-probes", probes]
    assert "--beyond-context" in fail(2, *flags, "-o", out)
    result = run(*flags, "--beyond-context", "-o", out)
    assert result.returncode == 0
    assert "200 tokens go beyond the model's context of 150" in result.stderr.decode()
    assert json.loads(out.read_text())["heads"] == PLANTED
    out.unlink()
    from_file = ["--probes-file", probes]
    message = fail(3, "find-heads", "--model", short, *from_file, "-o", out)
    assert "context is 150" in message and "--beyond-context" in message
    assert not out.exists()
    assert find(short, *from_file, "--beyond-context")["heads"] == PLANTED


def test_a_token_that_the_model_has_not_never_reaches_it(folder, tmp_path):
    """A GPU is lost to the process that looks for a row that its weights have not."""
    more = tmp_path / "model"
    shutil.copytree(folder, more)
    size = json.loads((more / "config.json").read_text())["vocab_size"]
    tokenizer = json.loads((more / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append({"id": size, "content": "zebra", "single_word": False, "lstrip": False, "rstrip": False,
                                      "normalized": False, "special": False})
    (more / "tokenizer.json").write_text(json.dumps(tokenizer))
    says = f'no token {size} ("zebra"): its vocabulary ends at {size - 1}'
    text = tmp_path / "text.txt"
    text.write_text("a zebra and a horse")
    probe = tmp_path / "probes.jsonl"
    probe.write_text(json.dumps({"text": "The zebra is a zebra", "needle_begin": 4, "needle_end": 9, "answer_begin": 15, "answer_end": 20}))
    traces = write_records(tmp_path / "traces.jsonl", [{"prompt": "What?", "response": "A zebra."}])
    few = ["find-heads", "--num-probes", "2", "--lengths", "200"]
    for i, command in enumerate([[*few, "--verify", "--verify-text", text], ["find-heads", "--probes-file", probe],
                                 ["score", "--heads", "1-5", traces]]):
        out = tmp_path / f"{i}.json"
        assert says in fail(3, *command, "--model", more, "-o", out), command
        assert not out.exists()
    # Words of the needles as an added token: what the probes themselves are made of.
    tokenizer["added_tokens"][-1]["content"] = "What is"
    (more / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert f'no token {size} ("What is")' in fail(4, *few[:3], "--probes", "kv", "--lengths", "500", "--model", more, "-o", out)


def test_a_model_that_answers_nothing_is_an_error(folder, tmp_path):
    probe = {"ids": [65, 66, 67, 68, 69, 70], "needle_begin": 1, "needle_end": 3, "answer_begin": 4, "answer_end": 6}
    probes = tmp_path / "probes.jsonl"
    probes.write_text(json.dumps(probe) + "\n")
    out = tmp_path / "heads.json"
    assert "none of the 1 probes" in fail(4, "find-heads", "--model", folder, "--probes-file", probes, "-o", out)
    assert [path.name for path in tmp_path.iterdir()] == ["probes.jsonl"]
