"""integrations/air_stream.py, on which the Ray and datatrove integrations stand: records in, answers out."""
import datetime
import importlib
import json
import os
import signal
import sys
import threading
import types

import pytest
from air_runner import REPOSITORY, air_binary, records, succeed

sys.path.insert(0, str(REPOSITORY / "integrations"))

import air_stream  # noqa: E402

FLAGS = ["--device", "cpu", "--threads", "1", "--max-batch-tokens", "1"]


@pytest.fixture
def stream(model):
    with air_stream.Stream(model, ["1-5"], flags=FLAGS, program=air_binary()) as stream:
        yield stream


def items(count):
    return [{"id": i, "prompt": f"Say {i}.", "response": f"{i}!\n\nSo: {i * i}."} for i in range(count)]


def test_answers_are_those_of_a_run(model, stream):
    lines = "".join(json.dumps(item) + "\n" for item in items(20)).encode()
    expected = [record["air"] for record in records(succeed("score", "--model", model, "--heads", "1-5", "--order", "input", *FLAGS, stdin=lines))]
    answers = stream.score(items(20)[:5]) + stream.score([]) + stream.score(items(20)[5:])
    assert [answer.scores for answer in answers] == [[{k: v for k, v in air.items() if k != "rank"}] for air in expected]


def test_what_cannot_be_scored_has_a_reason_and_several_traces_have_several_scores(stream):
    good, bad, several = stream.score([items(1)[0], {"prompt": "no response"}, {"problem": "p", "generations": ["a b", "c d"]}])
    assert not good.error and not bad.scores and "response" in bad.error
    assert [score["trace"] for score in several.scores] == [0, 1]


def test_more_than_the_process_reads_ahead_is_no_deadlock(stream):
    item = {"prompt": "p", "response": "word " * 20, "padding": "x" * 100_000}
    assert all(answer.scores for answer in stream.score([item] * 60))


def test_a_killed_process_is_started_anew_and_answers_the_rest_once(stream):
    stream.score(items(1))
    first = stream.process.pid
    timer = threading.Timer(0.1, os.kill, (first, signal.SIGKILL))
    timer.start()
    answers = stream.score(items(100))
    timer.join()
    assert stream.process.pid != first
    assert [answer.scores[0]["num_tokens"] for answer in answers] == [answer.scores[0]["num_tokens"] for answer in stream.score(items(100))]


def test_a_process_that_cannot_work_is_an_error_with_its_message(model):
    with air_stream.Stream(model, "99-99", flags=FLAGS, program=air_binary()) as stream:
        with pytest.raises(air_stream.StreamError, match="exit code 4") as caught:
            stream.score(items(1))
    assert caught.value.exit_code == 4 and "99-99" in str(caught.value)


def test_what_tables_hold_becomes_json():
    record = {"a": None, "when": datetime.date(2026, 1, 2), "image": b"\0", "messages": [{"role": "user", "name": None}], "odd": "\ud83d"}
    assert json.loads(air_stream.as_json(record)) == {"when": "2026-01-02", "image": None, "messages": [{"role": "user"}], "odd": "\ud83d"}
    with pytest.raises(ValueError, match="on_error"):
        air_stream.on_error_choice("ignore")


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def test_rays_column_has_a_place_for_every_number(model, monkeypatch):
    """A key that the type lacks would be left out in silence. Ray itself is not needed for that."""
    pyarrow = pytest.importorskip("pyarrow")
    ray = types.ModuleType("ray")
    ray.data = types.ModuleType("ray.data")
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", ray.data)
    monkeypatch.delitem(sys.modules, "air_ray", raising=False)
    column_type = importlib.import_module("air_ray").AIR_TYPE
    monkeypatch.delitem(sys.modules, "air_ray")
    flags = [*FLAGS, "--controls", "1", "--token-losses", "--exclude-copies", "1", "--max-length", "40", "--overlong", "truncate"]
    record = {"problem": "p", "generations": ["a b a b", "a b a b " * 20]}
    with air_stream.Stream(model, ["1-5"], flags=flags, program=air_binary()) as stream:
        (answer,) = stream.score([record])
    assert len(answer.scores) == 2, answer
    assert answer.scores[1]["truncated"] and answer.scores[1]["num_excluded"] > 0
    assert without_nulls(pyarrow.array(answer.scores, type=column_type).to_pylist()) == answer.scores
