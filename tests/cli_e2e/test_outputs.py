"""What the verbs write: every output is JSON, the records' own bytes survive, the verbs fit into a pipe."""
import json
import re
import shutil
import subprocess
import zlib

import pytest
from air_runner import REPOSITORY, records, run, succeed, write_records

ODD_LINES = [
    '{"prompt":"a","response":"b c d","big":18446744073709551615,"negative":-9223372036854775808}',
    '{"prompt":"a","response":"b c d","huge":1e400,"tiny":1e-400,"long":0.1000000000000000055511151231257827}',
    '{"twice":1,"prompt":"a","twice":2,"response":"b c d","twice":3}',
    '{"emoji":"🐘","escaped":"\\ud83d\\udc18","slash":"a\\/b","prompt":"a","response":"b \\u00e9 d"}',
    '{ "prompt" : "a" , "response" : "b c d" , "nested" : { "air" : [ 1 , { } ] } }',
    '{"zero":-0.0,"exponent":1E+2,"prompt":"a","response":"b c d"}   ',
    '\t{"prompt":"a","response":"b c d","empty":""}',
]


@pytest.fixture
def scored(model, traces, out):
    succeed("score", "--model", model, "--heads", "1-5", traces, "-o", out / "scored.jsonl")
    return out / "scored.jsonl"


def test_a_scored_line_is_the_input_line_with_one_key_appended(model, tmp_path):
    path = tmp_path / "odd.jsonl"
    path.write_text("\n".join(ODD_LINES) + "\n", encoding="utf-8")
    output = succeed("score", "--model", model, "--heads", "1-5", "--order", "input", path).decode()
    for line, scored in zip(ODD_LINES, output.splitlines(), strict=True):
        body = line.rstrip()[:-1].rstrip()  # up to the closing brace
        assert scored.startswith(body)
        assert scored[len(body):].lstrip().startswith(',"air":{"schema":"air.score/1"')
        assert json.loads(scored)["air"]["num_tokens"] > 0


def test_cut_gives_the_input_back(model, traces):
    """The first bytes of each output line are those of its input line: `cut -b` shows it."""
    output = succeed("score", "--model", model, "--heads", "1-5", "--order", "input", traces)
    for line, scored in zip(traces.read_bytes().splitlines(), output.splitlines(), strict=True):
        length = len(line) - 1
        cut = subprocess.run(["cut", "-b", f"1-{length}"], input=scored, capture_output=True, check=True)
        assert cut.stdout.rstrip(b"\n") == line[:-1]


def test_the_last_line_may_lack_its_newline(model, tmp_path):
    path = tmp_path / "one.jsonl"
    path.write_text('{"prompt":"a","response":"b c"}')
    assert succeed("score", "--model", model, "--heads", "none", path).endswith(b"}}\n")


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq")
def test_jq_reads_every_output(model, traces, out, scored):
    succeed("find-heads", "--model", model, "--lengths", "128", "--num-probes", "2", "--dump-probes", out / "probes.jsonl",
            "-o", out / "heads.json")
    succeed("select", scored, "--top-k", "2", "-o", out / "subset.jsonl")
    succeed("inspect", "--model", model, traces, "-o", out / "traces.jsonl")
    succeed("inspect", "--model", model, "--json", "-o", out / "model.json")
    files = [path for path in out.iterdir() if path.is_file()]
    assert {"scored.jsonl.manifest.json", "heads.json", "probes.jsonl", "subset.jsonl"} <= {path.name for path in files}
    for path in files:
        subprocess.run(["jq", "-e", "type == \"object\"", str(path)], check=True, capture_output=True)


def test_a_score_has_the_keys_of_the_contract(scored):
    for record in records(scored.read_bytes()):
        air = record["air"]
        assert {"schema", "rank", "influence", "divergence", "base_nll", "ref_nll", "entropy", "num_tokens",
                "num_prompt_tokens", "num_steps", "repetition", "steps"} <= set(air)
        for step in air["steps"]:
            assert {"begin", "end", "num_tokens", "base_nll", "ref_nll", "influence", "weight"} <= set(step)


def test_repetition_is_that_of_the_deflated_response(model, tmp_path):
    texts = ["One word. Another.", "again and again, " * 40, "é" * 20_000]
    path = write_records(tmp_path / "traces.jsonl", [{"prompt": "a", "response": text} for text in texts])
    output = succeed("score", "--model", model, "--heads", "none", "--order", "input", "--max-length", "2000", "--overlong", "truncate", path)
    for text, record in zip(texts, records(output), strict=True):
        scored = text.encode()[:record["air"]["steps"][-1]["end"]][:1 << 15]
        assert record["air"]["repetition"] == round(len(scored) / len(zlib.compress(scored, 6)), 3)


def test_a_top_that_repeats_itself_is_a_warning(model, tmp_path):
    words = "again " * 200
    path = write_records(tmp_path / "loop.jsonl", [{"prompt": "a", "response": words}])
    result = run("score", "--model", model, "--heads", "1-5", path)
    assert result.returncode == 0 and "the top of the ranking mostly repeats itself: 1 of the best 1" in result.stderr.decode()
    path = write_records(tmp_path / "text.jsonl", [{"prompt": "a", "response": "One word. Another."}])
    assert "repeats itself" not in run("score", "--model", model, "--heads", "1-5", path).stderr.decode()


def test_a_manifest_says_how_the_file_was_made(scored):
    manifest = json.loads((scored.parent / "scored.jsonl.manifest.json").read_text())
    assert {"num_tokens", "seconds", "tokens_per_second"} <= set(manifest)
    assert manifest["tokens_per_second"] == pytest.approx(manifest["num_tokens"] / manifest["seconds"], rel=1e-6)


def test_heads_have_the_keys_of_the_contract(model, out):
    succeed("find-heads", "--model", model, "--lengths", "128", "--num-probes", "2", "-o", out / "heads.json")
    heads = json.loads((out / "heads.json").read_text())
    assert heads["schema"] == "air.heads/1" and heads["fraction"] == 0.05
    assert heads["model"]["model_type"] == "llama" and heads["model"]["num_hidden_layers"] == 2
    assert heads["probes"]["num_probes"] == 2 and heads["probes"]["lengths"] == [128]
    assert [len(row) for row in heads["scores"]] == [16, 16]


def test_standard_input_and_output(model, traces):
    from_file = succeed("score", "--model", model, "--heads", "1-5", traces)
    assert succeed("score", "--model", model, "--heads", "1-5", "-", stdin=traces.read_bytes()) == from_file


def test_two_inputs_follow_one_another(model, traces):
    output = succeed("score", "--model", model, "--heads", "none", "--order", "input", traces, traces)
    assert [record["id"] for record in records(output)] == ["t1", "t2", "t3"] * 2


def test_score_and_select_in_a_pipe(model, traces):
    scored = succeed("score", "--model", model, "--heads", "1-5", "-", stdin=traces.read_bytes())
    subset = succeed("select", "-", "--top-k", "2", stdin=scored)
    assert subset.splitlines() == scored.splitlines()[:2]


def test_messages_go_to_stderr_and_quiet_silences_them(model, traces):
    result = run("score", "--model", model, "--heads", "1-5", "--quiet", traces)
    assert result.returncode == 0 and result.stderr == b""


def test_the_same_inputs_give_the_same_bytes(model, traces, scored, out):
    again = out / "again.jsonl"
    succeed("score", "--model", model, "--heads", "1-5", traces, "-o", again)
    assert again.read_bytes() == scored.read_bytes()


def test_a_record_that_was_scored_is_scored_again_only_with_overwrite(model, traces, out):
    arguments = ["score", "--model", model, "--heads", "1-5", "--order", "input"]
    succeed(*arguments, traces, "-o", out / "scored.jsonl")
    assert run(*arguments, out / "scored.jsonl").returncode == 3
    assert succeed(*arguments, "--overwrite", out / "scored.jsonl") == (out / "scored.jsonl").read_bytes()


def test_one_line_for_each_generation(model, tmp_path):
    path = write_records(tmp_path / "generations.jsonl", [{"problem": "2 + 2?", "generations": ["Four.", "It is 5."]}])
    output = records(succeed("score", "--model", model, "--heads", "1-5", "--order", "input", path))
    assert [record["air"]["trace"] for record in output] == [0, 1]


@pytest.mark.parametrize("verb", ["find-heads", "score", "select", "report", "inspect", None])
def test_help_starts_with_an_example_and_fits_80_columns(verb):
    help_text = succeed(*filter(None, [verb]), "--help").decode()
    assert help_text.startswith(f"Example:\n  air {verb or 'find-heads'} ")
    assert [line for line in help_text.splitlines() if len(line) > 80] == []


VERSION = r"air [0-9.]+ \((unknown commit|[0-9a-f]+(\+dirty\.[0-9a-f]{8})?)\), built against torch (\S+), runs on torch \3 \((CPU|CUDA) build\)"


def test_version_names_the_commit_and_torch():
    assert re.fullmatch(VERSION + "\n", succeed("--version").decode())


@pytest.mark.parametrize("flags", [("--version", "-v"), ("-v", "--version")])
def test_verbose_version_names_devices_and_threads(flags):
    assert re.fullmatch(VERSION + r"\ndevices: cpu.*\nthreads: [1-9][0-9]*\n", succeed(*flags).decode())


def test_verbose_without_version_is_refused():
    assert run("-v", "inspect").returncode == 2



def test_a_flag_beats_the_environment_and_that_the_config_file(model, traces, tmp_path):
    config = tmp_path / "air.toml"
    config.write_text('mask = "zero"\n')
    base = ["score", "--model", model, "--heads", "1-5", traces]
    zero, uniform = succeed(*base, "--mask", "zero"), succeed(*base)
    assert zero != uniform
    assert succeed(*base, "--config", config) == zero
    assert succeed(*base, "--config", config, env={"AIR_MASK": "uniform"}) == uniform
    assert succeed(*base, "--config", config, "--mask", "zero", env={"AIR_MASK": "uniform"}) == zero


STEPS = r"regex:\.\n+"


def test_a_printed_config_is_the_same_run(model, traces, tmp_path):
    """Patterns with backslashes, and the inputs, come back as they were given."""
    given = ["score", "--model", model, "--heads", "1-5,0-3", "--steps", STEPS, "--order", "input", traces]
    config = tmp_path / "printed.toml"
    config.write_bytes(succeed(*given, "--print-config"))
    assert succeed("score", "--config", config, "--print-config") == config.read_bytes()
    assert succeed("score", "--config", config) == succeed(*given)


@pytest.mark.parametrize("file", ["paper.toml", "smoke.toml"])
@pytest.mark.parametrize("verb", ["find-heads", "score"])
def test_the_config_files_that_come_with_air_are_read(verb, file):
    printed = succeed(verb, "--config", REPOSITORY / "configs" / file, "--print-config").decode()
    assert ("num-probes = 4\n" if file == "smoke.toml" else "fraction = 0.05\n") in printed or verb == "score"


def test_select_takes_the_top_and_keeps_the_lines(scored):
    lines = scored.read_bytes().splitlines(keepends=True)
    assert succeed("select", scored, "--top-k", "1") == lines[0]
    assert succeed("select", scored, "--top-k", "3") == b"".join(lines)
