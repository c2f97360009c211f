"""The study from records to a table, on a tiny random model and a handful of records: that it runs and continues, no claim."""
import json
import sys

import pytest
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from air_runner import GSM8K, REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))

import study.runs  # noqa: E402
from make_planted_model import END_OF_TEXT, make_tokenizer, make_vocabulary  # noqa: E402
from study import __main__ as command_line  # noqa: E402

ARMS = ["influence-top", "residual-top", "without-copies-top", "influence-in-base-loss",
        "weights-linear", "mismatched"]
NUM_RUNS = (2 + len(ARMS)) * 2    # random draws and arms, under two seeds


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    set_seed(0)
    vocabulary = make_vocabulary()
    LlamaForCausalLM(LlamaConfig(vocab_size=len(vocabulary), hidden_size=32, intermediate_size=32,
                                 num_hidden_layers=2, num_attention_heads=2, eos_token_id=256,
                                 max_position_embeddings=2048)).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(make_tokenizer(vocabulary)))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_TEXT}))
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size() == len(vocabulary)
    return folder


def study_command(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["study", *map(str, arguments)])
    command_line.main()


@pytest.fixture
def config(model, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(f'''
model = "{model}"
work = "{tmp_path / 'work'}"
records = "{GSM8K}"
pool_records = 42
test_records = 5
heads = "0-0,1-1"
controls = 1
arms = {json.dumps(ARMS)}
seeds = [0, 1]
pool_share = 0.9
bins = 2
token_budget = 3000
batch_tokens = 1000
checkpoint_steps = 2
learning_rate = 1e-2
answers = 2
max_new_tokens = 3
bootstrap_draws = 50
''')
    return path


def results_of(tmp_path):
    return {path.name: (path.stat().st_mtime_ns, json.loads(path.read_text()))
            for path in (tmp_path / "work" / "results").glob("*.seed-*.json")}


def test_a_study_runs_continues_and_says_what_it_found(config, tmp_path, monkeypatch, capsys):
    study_command(monkeypatch, "run", config, "--limit", 3)
    first = results_of(tmp_path)
    assert len(first) == 3 and not (tmp_path / "work" / "summary.json").exists()
    study_command(monkeypatch, "plan", config)
    assert f"{NUM_RUNS} runs, {NUM_RUNS - 3} to do" in capsys.readouterr().out

    # interrupted in the middle of a run: what was finished stays, a checkpoint is continued from
    interrupted = []

    def stop_once(*arguments):
        if not interrupted:
            interrupted.append(arguments)
            raise KeyboardInterrupt
        return measure(*arguments)
    measure = study.runs._measure
    monkeypatch.setattr(study.runs, "_measure", stop_once)
    with pytest.raises(KeyboardInterrupt):
        study_command(monkeypatch, "run", config)
    assert len(results_of(tmp_path)) == 3
    study_command(monkeypatch, "run", config)
    found = results_of(tmp_path)
    assert len(found) == NUM_RUNS
    assert {name: found[name] for name in first} == first    # none was done again
    assert {result["steps"] for _, result in found.values()} == {3}

    summary = json.loads((tmp_path / "work" / "summary.json").read_text())
    loss = summary["measures"]["loss"]
    assert [row["arm"] for row in loss["rows"]] == ARMS
    assert loss["random"] < loss["untrained"] - 0.5          # it trains
    by_hand = [sum(result["losses"]) / sum(result["tokens"]) for _, result in found.values()
               if result["arm"] == "influence-top"]
    row = loss["rows"][0]
    assert row["value"] == pytest.approx(sum(by_hand) / 2)
    assert row["low"] < row["difference"] < row["high"]
    assert "| influence-top |" in (tmp_path / "work" / "table.md").read_text()
    assert (tmp_path / "work" / "plot.png").read_bytes().startswith(b"\x89PNG")

    # arms of one seed are as large, and the control changes what the first draw trains on
    same = found["random-0.seed-0.json"][1], found["mismatched.seed-0.json"][1]
    assert same[0]["pick"] == same[1]["pick"] and same[0]["examples"] != same[1]["examples"]
    assert same[0]["trained_tokens"] == same[1]["trained_tokens"]
    assert all(0.9 <= result["pick"]["tokens"] / 3000 <= 1 for _, result in found.values())


def test_other_settings_do_not_mix_with_results_that_are_there(config, monkeypatch):
    study_command(monkeypatch, "run", config, "--limit", 0, "--set", "answers=0")
    with pytest.raises(SystemExit, match="made with other settings"):
        study_command(monkeypatch, "run", config, "--set", "answers=0", "--set", "learning_rate=0.5")


def test_a_budget_that_leaves_no_choice_is_refused(config, monkeypatch):
    with pytest.raises(SystemExit, match="less than twice the budget"):
        study_command(monkeypatch, "run", config, "--set", "token_budget=8000")


def test_a_run_that_went_on_from_a_checkpoint_is_the_run_that_nothing_stopped(config, tmp_path):
    import torch
    from study import inputs, picks, training
    from study.arms import random_arm
    from study.config import read_config
    settings = read_config(config)
    made = inputs.make_inputs(settings, lambda line: None)
    examples = picks.read_examples(picks.make_pick(settings, made, random_arm(0), 0))
    whole, _ = training.train(settings, examples, 0, tmp_path / "a")

    class Stop(training.ScheduledTrainer):
        def _save_checkpoint(self, *arguments, **options):
            super()._save_checkpoint(*arguments, **options)
            raise KeyboardInterrupt
    original = training.ScheduledTrainer
    training.ScheduledTrainer = Stop
    try:
        with pytest.raises(KeyboardInterrupt):
            training.train(settings, examples, 0, tmp_path / "b")
    finally:
        training.ScheduledTrainer = original
    assert list((tmp_path / "b").glob("checkpoint-2"))
    again, _ = training.train(settings, examples, 0, tmp_path / "b")
    for one, other in zip(whole.parameters(), again.parameters()):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_what_is_prepared_needs_no_air_and_the_pilot_says_the_power(config, monkeypatch, capsys):
    short = ["--set", 'arms=["influence-top"]', "--set", "seeds=[0]", "--set", "pilot_seeds=[5, 6]",
             "--set", "pilot_draws=2", "--set", "random_draws=1"]
    study_command(monkeypatch, "plan", config, *short)
    assert "power: unknown before the pilot" in capsys.readouterr().out
    study_command(monkeypatch, "prepare", config, *short)
    monkeypatch.setenv("AIR_BINARY", "/nonexistent/air")
    study_command(monkeypatch, "pilot", config, *short)
    study_command(monkeypatch, "plan", config, *short, "--set", "seeds=[0, 1, 2]")
    said = capsys.readouterr().out
    assert "1 degrees of freedom" in said and "after the correction for 1" in said
