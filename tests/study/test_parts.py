"""Parts of the study that need no model: settings, batches, mismatched responses, numbers."""
import sys
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

from study import StudyError, confounds, planted  # noqa: E402
from study.arms import ARMS, chosen_arms  # noqa: E402
from study.config import Config, read_config  # noqa: E402
from study.measures import by_length, last_number  # noqa: E402
from study.picks import mismatch  # noqa: E402
from study.training import make_batches, make_schedule  # noqa: E402

CONFIG = 'model = "m"\nwork = "w"\nscored = "s"\ntest = "t"\n'


def config_of(tmp_path, text, *settings):
    path = tmp_path / "study.toml"
    path.write_text(CONFIG + text, encoding="utf-8")
    return read_config(path, settings)


def test_a_setting_on_the_command_line_goes_before_the_files(tmp_path):
    config = config_of(tmp_path, "epochs = 2\n", "epochs=3", "model=other folder", "seeds=[7]")
    assert (config.epochs, config.model, config.seeds) == (3, "other folder", [7])


@pytest.mark.parametrize("text, named", [
    ("epoch = 2\n", "unknown setting epoch"), ('epochs = "2"\n', "epochs"), ("epochs = 0\n", "epochs"),
    ('dtype = "float8"\n', "float8"), ("seeds = [1, 1]\n", "seeds"), ('seeds = ["1"]\n', "seeds"),
    ('records = "r"\n', "either records"), ("epochs = true\n", "epochs"), ("pool_share = 0.0\n", "pool_share"),
])
def test_a_wrong_setting_is_an_error_that_names_it(tmp_path, text, named):
    with pytest.raises(StudyError, match=named):
        config_of(tmp_path, text)


def test_an_unknown_arm_is_an_error(tmp_path):
    with pytest.raises(StudyError, match="influence-up"):
        chosen_arms(config_of(tmp_path, 'arms = ["influence-up"]\n'))


def test_all_arms_are_the_random_draws_and_the_table():
    config = Config(model="m", work="w", scored="s", test="t", random_draws=3)
    assert [arm.name for arm in chosen_arms(config)] == ["random-0", "random-1", "random-2", *ARMS]


def test_batches_hold_every_example_once_and_about_equally_many_tokens():
    sizes = [7, 90, 30, 55, 12, 100, 64, 3, 41, 80] * 6
    batches = make_batches(sizes, 20, seed=3)
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    assert len(batches) == 20
    assert max(sum(sizes[i] for i in batch) for batch in batches) <= sum(sizes) / 20 + max(sizes)


def test_arms_of_long_and_of_short_traces_take_equally_many_steps():
    config = Config(model="m", work="w", scored="s", test="t", token_budget=4000, batch_tokens=500,
                    epochs=2)
    long, short = make_schedule([450] * 9, config, 0), make_schedule([40] * 100, config, 0)
    assert len(long) == len(short) == 16


def test_a_seed_orders_and_another_seed_orders_otherwise():
    assert make_batches([5] * 40, 8, "1 0") == make_batches([5] * 40, 8, "1 0")
    assert make_batches([5] * 40, 8, "1 0") != make_batches([5] * 40, 8, "2 0")


def test_a_mismatched_example_has_its_prompt_and_anothers_response():
    examples = [{"input_ids": [10 + i, 1, 2, 20 + i], "labels": [-100, -100, -100, 20 + i],
                 "loss_weights": [0, 0, 0, 1]} for i in range(3)]
    found = mismatch(examples)
    assert [e["input_ids"] for e in found] == [[10, 1, 2, 21], [11, 1, 2, 22], [12, 1, 2, 20]]
    assert [e["labels"][-1] for e in found] == [21, 22, 20]


def test_evaluation_batches_hold_all_and_keep_to_the_limit():
    sizes = [5, 100, 40, 41, 39, 7, 200]
    batches = by_length(sizes, 120)
    assert sorted(i for batch in batches for i in batch) == list(range(len(sizes)))
    assert all(len(b) == 1 or len(b) * max(sizes[i] for i in b) <= 120 for b in batches)


@pytest.mark.parametrize("text, number", [
    ("so 1,234.50 in all. The answer is 72.", Decimal(72)), ("it costs $1,200", Decimal(1200)),
    ("below zero: -3.50", Decimal("-3.5")), ("no number", None), ("72.0", Decimal(72)),
])
def test_the_answer_is_the_last_number(text, number):
    assert last_number(text) == number


def trace(line, **numbers):
    steps = [{"num_tokens": 4 + i, "base_nll": 1.0, "ref_nll": 1.0 + line / 10 + i / 1000,
              "influence": i * 1.0, "divergence": -i * 1.0} for i in range(5)]
    return {"line": line, "influence": line, "divergence": -line, "base_nll": 3.0 * line,
            "repetition": 1.0, "entropy": 5 - line, "num_tokens": line % 3, "steps": steps, **numbers}


def test_confounds_of_made_up_traces_are_what_they_are_made_to_be():
    a = confounds.Scored("a", {(i, 0): trace(i) for i in range(1, 9)})
    b = confounds.Scored("b", {(i, 0): trace(i, influence=-i) for i in range(3, 12)})
    found = confounds.analyse([a, b])
    file = found["files"]["a"]
    assert file["traits"]["influence"]["base_nll"] == pytest.approx(1)
    assert file["traits"]["divergence"]["base_nll"] == pytest.approx(-1)
    assert str(file["traits"]["influence"]["repetition"]) == "nan"
    assert file["steps"]["influence"]["position"] == pytest.approx(1)
    assert file["reliability"]["influence"] == pytest.approx(1)   # halves rank the traces alike
    assert found["agreement"]["b"]["traces"] == 6
    assert found["agreement"]["b"]["influence"]["spearman"] == pytest.approx(-1)
    assert found["agreement"]["b"]["divergence"]["spearman"] == pytest.approx(1)
    of_first = found["agreement"]["b"]["traits_of_first"]
    assert of_first["influence"]["base_nll"] == pytest.approx(-1)   # b's scores, a's base loss
    assert confounds.lines_of(found)


def test_excluded_tokens_do_not_weigh_in_a_step():
    steps = [{"num_tokens": 10, "num_excluded": 9, "base_nll": 1.0, "ref_nll": 3.0},
             {"num_tokens": 3, "base_nll": 1.0, "ref_nll": 1.0}]
    assert confounds.score_of(steps, "divergence", 0.05) == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["facts", "words"])
def test_planted_traces_need_retrieval_where_they_say_so(text):
    for condition in planted.CONDITIONS:
        records = planted.make_records(condition, text, 40, seed=0)
        for record in records:
            quoted = [line in record["prompt"] for line in record["response"].split("\n")]
            assert all(quoted) if record["needs_retrieval"] else not any(quoted)
            lines = record["response"].split("\n")
            assert record["loops"] == (len(set(lines)) < len(lines) - 5)
        kinds = {needed: [r["loops"] for r in records if r["needs_retrieval"] == needed]
                 for needed in (True, False)}
        assert sum(kinds[True]) == 20 * condition.loops_if_needed
        assert sum(kinds[False]) == 20 * condition.loops_if_not
