"""Issue 17: data as people have it. Each test names the public reports that its input (tests/cases) comes from."""
import json
import shutil
import subprocess

import pytest
from air_runner import REPOSITORY, fail, records, run, succeed, write_records

USAGE, INPUT = 2, 3
CASES = REPOSITORY / "tests" / "cases"
QUESTION = "A box holds 4 rows of 6 pens. How many pens?"
THINKING = "Four rows.\n\nEach row has six pens, so 4 x 6 = 24."
ANSWER = "There are 24 pens."


def messages(*turns, system=None, reasoning=None):
    """A conversation in the form that needs no recognising; the last turn is the assistant's."""
    roles = ["user", "assistant"] * len(turns)
    out = [{"role": "system", "content": system}] if system else []
    out += [{"role": role, "content": text} for role, text in zip(roles, turns)]
    if reasoning:
        out[-1]["reasoning_content"] = reasoning
    return out


@pytest.fixture
def read(model, tmp_path):
    """The token ids of the traces of a file or of conversations; and what `air inspect` says on stderr."""
    def read(source, *flags):
        if isinstance(source, list):
            source = write_records(tmp_path / "expected.jsonl", [{"messages": item} for item in source])
        result = run("inspect", "--model", model, source, *flags)
        assert result.returncode == 0, result.stderr.decode()
        return [(line["ids"], line["response_begin"]) for line in records(result.stdout)], result.stderr.decode()
    return read


@pytest.mark.parametrize("case, expected", [
    # QwenLM/Qwen3#1314; hiyouga/LlamaFactory#7651
    ("D08_sharegpt_system/in.jsonl", [
        messages("4 x 6?", ANSWER, system="Answer in one line."), messages("4 x 6?", ANSWER, system="Answer in one line."),
        messages(QUESTION, ANSWER, system="Answer in one line."), messages("4 x 6?", ANSWER, system="Answer in one line."),
        messages("4 x 6?", ANSWER)]),
    # hiyouga/LlamaFactory#7592
    ("D09_alpaca_system_history/in.jsonl", [
        messages("How far is it?", "About 5 km.", system="You are Ada. Use metric units."),
        messages("How far is it?", "About 5 km.", "And there and back?", "About 10 km."),
        messages("How far is it?", "About 5 km.", system="You are Ada. Use metric units."),
        messages("How far is it?", "About 5 km.", system="You are Ada. Use metric units.")]),
    # huggingface/trl#4147, #5213, #6105
    ("D13_trl_conversational_prompt_completion/in.jsonl", [messages(QUESTION, ANSWER, system="Be brief.")]),
    ("D13_trl_conversational_prompt_completion/mixed.jsonl", [messages(QUESTION, ANSWER)]),
    # simplescaling/s1#84, #2
    ("D14_s1k_1_1/in.jsonl", [messages(QUESTION, "24 pens", reasoning="Gemini: " + THINKING),
                              messages(QUESTION, ANSWER, reasoning="DeepSeek: " + THINKING)]),
    ("D14_s1k_1_1/s1k.jsonl", [messages(QUESTION, ANSWER, reasoning=THINKING)]),
    # FreedomIntelligence/medical-o1-reasoning-SFT
    ("D16_medical_o1/in.jsonl", [messages("Why rest a sprain?", ANSWER, reasoning=THINKING)]),
    # QuixiAI/dolphin-r1
    ("D17_dolphin_r1/in.jsonl", [messages(QUESTION, ANSWER, system="Be brief.", reasoning=THINKING)]),
    ("D17_dolphin_r1/multi.jsonl", [messages("Hi", "Hello, how can I help?", QUESTION, ANSWER, reasoning=THINKING)]),
    # nvidia/Llama-Nemotron-Post-Training-Dataset
    ("D18_nemotron/in.jsonl", [messages(QUESTION, f"<think>\n{THINKING}\n</think>\n\n{ANSWER}", system="detailed thinking on")]),
    # minyichen/Deepthink_R1
    ("D20_deepthink_r1/in.jsonl", [messages(QUESTION, ANSWER, reasoning=THINKING)]),
    # AI-MO/NuminaMath-CoT, MATH, MATH-500, LIMO
    ("D24_numina_math/limo.jsonl", [messages(QUESTION, THINKING)]),
    ("D24_numina_math/math.jsonl", [messages(QUESTION, THINKING)]),
    ("D24_numina_math/math500.jsonl", [messages(QUESTION, THINKING)]),
    ("D24_numina_math/numina.jsonl", [messages(QUESTION, THINKING)]),
    # variations of the above
    ("D45_flat_reasoning/in.jsonl", [messages(QUESTION, ANSWER, reasoning=THINKING)] * 7),
])
def test_a_public_dataset_is_read_as_its_conversation(read, case, expected):
    ids, said = read(CASES / case)
    assert ids == read(expected)[0]
    assert "read as " in said and "warning" not in said


def test_a_row_with_a_text_that_fits_as_well_is_read_with_a_warning(read):
    ids, said = read(CASES / "D18_nemotron" / "text.jsonl")
    assert ids == read([messages(QUESTION, ANSWER, system="detailed thinking on")])[0]
    assert "as input+output (input, output) it would be another text" in said
    thinking = read(CASES / "D18_nemotron" / "text.jsonl", "--prompt-field", "input", "--response-field", "output")[0]
    assert thinking == read([messages(QUESTION, f"<think>\n{THINKING}\n</think>\n\n{ANSWER}", system="detailed thinking on")])[0]


def test_flags_name_the_thinking_of_one_model(read):
    flags = ["--prompt-field", "question", "--reasoning-field", "deepseek_thinking_trajectory", "--response-field", "deepseek_attempt"]
    ids, _ = read(CASES / "D14_s1k_1_1" / "in.jsonl", *flags)
    assert ids == read([messages(QUESTION, ANSWER, reasoning="DeepSeek: " + THINKING)])[0]


def test_rendered_rollouts_are_joined_as_they_are(model, read, tmp_path):
    """verl's _dump_generations."""
    case = CASES / "D28_verl_rollouts" / "in.jsonl"
    record = json.loads(case.read_text())
    path = write_records(tmp_path / "text.jsonl", [{"text": record["input"] + record["output"]}])
    [(ids, _)], said = read(case, "--chat-template", "raw")
    [(whole, _)], _ = read(path)
    assert ids == whole and "rendered" not in said
    [line] = records(succeed("inspect", "--model", model, case, "--chat-template", "raw"))
    assert line["begin"][line["response_begin"]] == len(record["input"].encode())
    assert "--chat-template raw" in read(case)[1]


def test_what_was_read_is_in_the_manifest(model, out):
    case = CASES / "D18_nemotron" / "text.jsonl"
    succeed("score", "--model", model, "--heads", "none", case, "-o", out / "s.jsonl")
    manifest = json.loads((out / "s.jsonl.manifest.json").read_text())
    assert manifest["read"] == [{"shape": "conversations", "fields": "system_prompt, conversations", "num_records": 1}]
    assert [(note["first"], note["num_records"]) for note in manifest["notes"]] == [(f"{case}:1", 1)]


def test_selected_traces_are_read_as_they_were_scored(model, out):
    """The fields that flags named are those of select and report too: the manifest has them."""
    flags = ["--prompt-field", "question", "--reasoning-field", "deepseek_thinking_trajectory", "--response-field", "deepseek_attempt",
             "--system-field", "cot_type"]
    succeed("score", "--model", model, "--heads", "1-5", CASES / "D14_s1k_1_1" / "in.jsonl", *flags, "-o", out / "s.jsonl")
    [trained] = records(succeed("select", out / "s.jsonl", "--top-k", "1", "--format", "trl"))
    assert trained["prompt"] == messages(QUESTION, "", system="math")[:-1]
    assert THINKING in trained["completion"][0]["content"] and ANSWER in trained["completion"][0]["content"]
    path = write_records(out / "again.jsonl", [trained])
    assert len(records(succeed("score", "--model", model, "--heads", "1-5", path))) == 1


# huggingface/datasets#8241; microsoft/promptflow#4188; wbolster/jsonlines#68
def test_a_byte_order_mark_at_the_start_is_skipped(model, read):
    ids, _ = read(CASES / "E01_bom" / "in.jsonl")
    assert ids == read(CASES / "E01_bom" / "fixed.jsonl")[0]
    scored = succeed("score", "--model", model, "--heads", "none", CASES / "E01_bom" / "in.jsonl")
    assert b"\xef\xbb\xbf" not in scored and len(records(scored)) == len(ids)


def test_a_byte_order_mark_elsewhere_is_refused_with_a_fix_that_works(model, tmp_path):
    path = tmp_path / "mid.jsonl"
    shutil.copy(CASES / "E01_bom" / "mid.jsonl", path)
    message = fail(INPUT, "inspect", "--model", model, path)
    assert "mid.jsonl:2" in message and "byte order mark" in message
    [fix] = [line for line in message.splitlines() if line.startswith("hint: ")]
    subprocess.run(fix.removeprefix("hint: ").split(" removes")[0].replace("FILE", str(path)), shell=True, check=True)
    succeed("inspect", "--model", model, path)
    fail(INPUT, "score", "--model", model, "--heads", "none", CASES / "E01_bom" / "only.jsonl")


def test_select_and_report_skip_it_too(tmp_path):
    marked, plain = CASES / "X16_bom_through_select" / "bom.jsonl", tmp_path / "plain.jsonl"
    plain.write_bytes(marked.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    assert plain.stat().st_size == marked.stat().st_size - 3
    for arguments in (["select", "--top-percent", "100"], ["select", "--top-k", "3", "--format", "trl"], ["report", "--title", "t"]):
        output = succeed(*arguments, marked)
        assert output == succeed(*arguments, plain) or arguments[0] == "report"
        assert b"\xef\xbb\xbf" not in output


# pandas-dev/pandas#30716; VowpalWabbit/vowpal_wabbit#3738; aqlaboratory/openfold-3#167
@pytest.mark.parametrize("name", ["in.jsonl", "inf.jsonl"])
def test_numbers_that_only_python_has_pass_through(model, name):
    line = (CASES / "E05_nan" / name).read_bytes().rstrip()
    assert succeed("score", "--model", model, "--heads", "none", CASES / "E05_nan" / name).startswith(line[:-1])


# NVIDIA-NeMo/Curator and datatrove shards; datatrove#78
@pytest.mark.parametrize("name, count", [("two.gz", 2), ("split.gz", 2), ("two.zst", 2), ("zeros.gz", 1), ("x.jsonl.bz2", 1), ("x.jsonl.xz", 1)])
def test_packed_files_are_read_to_their_end(read, name, count):
    ids, _ = read(CASES / "E11_multi_member" / name)
    assert ids == read([messages("4 x 6?", "Four rows.\n\nSo it is 24."), messages("5 x 6?", "Five rows.\n\nSo it is 30.")][:count])[0]


def test_packed_scores_are_selected_and_reported(model, traces, tmp_path):
    scored = succeed("score", "--model", model, "--heads", "1-5", traces)
    for tool in ("gzip", "bzip2", "xz"):
        if shutil.which(tool) is None:
            continue
        packed = tmp_path / f"scored.{tool}"
        packed.write_bytes(subprocess.run([tool, "-c"], input=scored, capture_output=True, check=True).stdout * 2)
        assert len(records(succeed("select", packed, "--top-percent", "100"))) == 6
        succeed("report", packed)


# README's pipe for Parquet; folders of datasets
@pytest.mark.parametrize("name, says", [("x.parquet", ["Parquet", "read_parquet"]), ("x.csv", ["read_csv"]), ("x.arrow", ["Arrow", "datasets"]),
                                        ("x.jsonl.zip", ["zip", "unzip -p"])])
@pytest.mark.parametrize("verb", ["score", "select"])
def test_a_file_that_is_not_json_lines_is_named(model, name, says, verb):
    flags = ["--model", model, "--heads", "none"] if verb == "score" else ["--top-k", "1"]
    message = fail(INPUT, verb, *flags, CASES / "E16_not_jsonl" / name)
    assert all(part in message for part in [name, *says])


def test_an_array_is_read_an_element_a_line(model, traces, tmp_path):
    array = tmp_path / "array.json"
    array.write_text(json.dumps(records(traces.read_bytes()), indent=2))
    flags = ["score", "--model", model, "--heads", "1-5", "--order", "input"]
    scored, lines = records(succeed(*flags, array)), records(succeed(*flags, traces))
    assert scored == lines
    array.write_text(json.dumps(scored))
    assert records(succeed("select", array, "--top-k", "2")) == sorted(lines, key=lambda record: record["air"]["rank"])[:2]
    array.write_text("[" + json.dumps(records(traces.read_bytes())[0]) + ', {"prompt": "a"}]')
    assert "array.json:2" in fail(INPUT, *flags, array)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$"])
def test_a_pattern_that_never_ends_is_the_users_not_the_tokenizers(model, pattern):
    message = fail(INPUT, "inspect", "--model", model, "--steps", f"regex:{pattern}", CASES / "S09_regex_backtracking" / "in.jsonl")
    assert f"{pattern} of --steps" in message and "tokenizer" not in message and "hint: " in message


def test_the_rejects_of_a_bad_line_do_not_replace_the_input(model, tmp_path):
    source = tmp_path / "src.jsonl"
    shutil.copy(CASES / "X15_output_is_input" / "src.jsonl", source)
    for flag in ("-o", "--rejects"):
        fail(USAGE, "score", "--model", model, "--heads", "none", "--on-error", "skip", source, flag, source)
    assert source.read_bytes() == (CASES / "X15_output_is_input" / "src.jsonl").read_bytes()


# huggingface/trl#3328
def test_documents_and_conversations_are_not_mixed_for_trl(tmp_path):
    folder = CASES / "X17_trl_documents"
    message = fail(INPUT, "select", folder / "mix.s.jsonl", "--top-percent", "100", "--format", "trl", "-o", tmp_path / "out")
    assert "document" in message and "conversation" in message and not (tmp_path / "out").exists()
    [document] = records(succeed("select", folder / "doc.s.jsonl", "--top-k", "1", "--format", "trl"))
    assert list(document) == ["text"]


def test_steps_are_cut_by_the_tokenizer_of_the_model_that_scored(model, traces, out):
    scored = out / "scored.jsonl"
    succeed("score", "--model", model, "--heads", "1-5", traces, "-o", scored)
    result = run("select", scored, "--top-k", "2", "--format", "ms-swift")
    assert result.returncode == 0 and b"--is_binary_loss_scale false" in result.stderr
    assert result.stdout == succeed("select", scored, "--top-k", "2", "--format", "ms-swift", "--tokenizer", model)
    assert succeed("select", scored, "--top-k", "2", "--format", "tokens", "--end-token", "none")
    manifest = out / "scored.jsonl.manifest.json"
    manifest.write_text(manifest.read_text().replace(str(model), "/no/such/model"))
    assert "/no/such/model, is not there" in fail(USAGE, "select", scored, "--top-k", "2", "--format", "tokens")
    assert b"inside a token" in run("select", scored, "--top-k", "2", "--format", "ms-swift").stderr


def test_a_tokenizer_that_did_not_score_is_refused_wherever_steps_are_cut(model, demo_model, traces, out):
    scored = out / "scored.jsonl"
    succeed("score", "--model", model, "--heads", "1-5", traces, "-o", scored)
    for name in ("ms-swift", "openweights", "tokens"):
        message = fail(INPUT, "select", scored, "--top-k", "2", "--format", name, "--tokenizer", demo_model, "--chat-template", "none")
        assert "scored tokens has" in message and "--tokenizer" in message


def test_each_generation_has_a_finish_reason_of_its_own(model, tmp_path):
    path = write_records(tmp_path / "g.jsonl", [
        {"problem": "2 + 2?", "generations": ["Four.", "It is"], "finish_reasons": ["stop", "length"]},
        {"problem": "3 + 3?", "generations": ["Si", "Six."], "truncated": [True, False]}])
    scored = succeed("score", "--model", model, "--heads", "1-5", "--order", "input", path)
    kept = records(succeed("select", "-", "--top-percent", "100", "--exclude-truncated", stdin=scored))
    assert {(record["problem"], record["air"]["trace"]) for record in kept} == {("2 + 2?", 0), ("3 + 3?", 1)}


def test_a_bad_record_late_in_a_run_is_repaired_or_left_out(model, out, tmp_path):
    good = [{"id": i, "prompt": f"Say {i}.", "response": f"It is {i}.\n\nSo: {i}. " * 4} for i in range(120)]
    path, scored = write_records(tmp_path / "t.jsonl", good[:110] + [{"prompt": "?"}] + good[110:]), out / "s.jsonl"
    flags = ["score", "--model", model, "--heads", "1-5", "--max-batch-tokens", "128", path, "-o", scored]
    message = fail(INPUT, *flags)
    assert "t.jsonl:111" in message and "--resume --on-error skip" in message
    kept = out / "kept"
    shutil.copy(f"{scored}.partial", kept)
    assert kept.read_bytes().count(b"\n") > 10
    result = run(*flags, "--resume", "--on-error", "skip")
    assert result.returncode == 0 and b"kept of the run before: " in result.stderr
    assert len(records(scored.read_bytes())) == 120
    write_records(path, good[:110] + [{"prompt": "?", "response": "Repaired."}] + good[110:])
    scored.unlink()
    shutil.copy(kept, f"{scored}.partial")
    result = run(*flags, "--resume")
    assert result.returncode == 0 and b"kept of the run before: " in result.stderr, result.stderr
    resumed = scored.read_bytes()
    succeed(*flags)
    assert scored.read_bytes() == resumed and len(records(resumed)) == 121
