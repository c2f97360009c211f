"""Steps of real long traces under every rule: they tile the response, their token counts sum up, none is without a token."""
import json
import subprocess
from pathlib import Path

import pytest
from air_runner import air_binary, demo_model_folder

TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "long_traces.jsonl"


@pytest.fixture(scope="module")
def traces():
    if not TRACES.is_file():
        pytest.skip(f"no long traces: {TRACES}")
    return [json.loads(line) for line in TRACES.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("rule", ["blank-line", "newline", "sentence", r"regex:(?<=\.) +", "record"])
def test_steps_tile_the_response(rule, traces, tmp_path):
    folder = demo_model_folder()
    if not folder.is_dir():
        pytest.skip(f"no demo model: {folder}")
    path = tmp_path / "traces.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for trace in traces:
            steps = {"steps": trace["response"].splitlines(keepends=True)} if rule == "record" else {}
            file.write(json.dumps({"prompt": trace["prompt"], "response": trace["response"], **steps}) + "\n")
    output = subprocess.run([air_binary(), "inspect", "--model", folder, "--steps", rule, path], check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    assert len(lines) == len(traces)
    for trace, line in zip(traces, lines):
        response, steps = trace["response"].encode(), line["steps"]
        assert steps[0]["begin"] == 0
        assert all(step["end"] == after["begin"] for step, after in zip(steps, steps[1:]))
        assert b"".join(response[step["begin"]:step["end"]] for step in steps) == response
        assert all(step["num_tokens"] > 0 for step in steps)
        assert sum(step["num_tokens"] for step in steps) == len(line["ids"]) - line["response_begin"]
