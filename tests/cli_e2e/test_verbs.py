"""What one verb leaves for the next, and how a verb behaves while it waits for a pipe."""
import os
import signal
import subprocess
import time

import pytest
from air_runner import air_binary, clean_environment, fail, records, run, succeed, write_records

USAGE, MODEL, INTERRUPTED = 2, 4, 130


@pytest.fixture
def traces(tmp_path):
    return write_records(tmp_path / "traces.jsonl", [
        {"id": i, "meta.domain": "flat" + str(i % 2), "meta": {"domain": "deep"}, "prompt": f"Say {i}.", "response": f"So: {i}.\n\nYes, {i}."}
        for i in range(6)])


def start(*arguments, **options):
    return subprocess.Popen([air_binary(), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=clean_environment(**options))


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_select_and_report_need_no_chat_template(model, traces, tmp_path):
    own = tmp_path / "my.jinja"
    own.write_text("{% for m in messages %}<{{ m.role }}>{% if m.reasoning %}{{ m.reasoning }}|{% endif %}{{ m.content }}</{{ m.role }}>{% endfor %}"
                   "{% if add_generation_prompt %}<assistant>{% endif %}")
    scored = tmp_path / "scored.jsonl"
    thinking = write_records(tmp_path / "thinking.jsonl", [
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "reasoning": "Since.", "content": "So."}]}])
    for records_of in (traces, thinking):
        succeed("score", "--model", model, "--heads", "1-5", records_of, "-o", scored, "--chat-template", own)
    own.unlink()
    assert len(records(succeed("select", scored, "--top-k", "1"))) == 1
    [exported] = records(succeed("select", scored, "--top-k", "1", "--format", "openai"))
    assert exported["messages"][-1]["content"] == "Since.|So."
    assert b"<html" in succeed("report", scored)


def test_a_field_means_the_same_to_every_verb(model, traces, tmp_path):
    scored = tmp_path / "scored.jsonl"
    succeed("score", "--model", model, "--heads", "1-5", traces, "-o", scored)
    kept = records(succeed("select", scored, "--top-k", "1", "--group-by", "meta.domain"))
    assert sorted(record["meta.domain"] for record in kept) == ["flat0", "flat1"]
    page = succeed("report", scored, "--group-by", "meta.domain").decode()
    assert "<bdi>flat0</bdi>" in page and "<bdi>flat1</bdi>" in page and "(none)" not in page


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_run_that_waits_for_a_pipe(model, number):
    process = start("score", "--model", model, "--heads", "1-5", "-", "--verbose", "--max-batch-tokens", "1")
    process.stdin.write(b'{"prompt":"p","response":"first"}\n' * 40)
    process.stdin.flush()
    wait_until(lambda: b"batch of" in process.stderr.readline())
    time.sleep(1)  # the batches at hand are scored: it waits for more
    process.send_signal(number)
    started = time.monotonic()
    # The pipe stays open: nobody but the signal ends the wait.
    assert process.wait(timeout=30) == INTERRUPTED
    assert time.monotonic() - started < 10
    process.stdin.close()
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("text", ["my notes", "my notes\nof two lines\n", '{"schema":"other/1"}\n'])
@pytest.mark.parametrize("verb", ["score", "find-heads"])
def test_a_foreign_file_in_the_place_of_unfinished_work_stays(model, traces, tmp_path, verb, text):
    foreign = tmp_path / "out.json.partial"
    foreign.write_text(text)
    arguments = {"score": ["--heads", "1-5", traces], "find-heads": ["--lengths", "128", "--num-probes", "2"]}[verb]
    message = fail(USAGE, verb, "--model", model, *arguments, "-o", tmp_path / "out.json", "--resume")
    assert str(foreign) in message
    assert foreign.read_text() == text


def test_inputs_through_a_named_pipe_are_read_once(model, traces, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", traces, pipe]) as writer:
        scored = succeed("score", "--model", model, "--heads", "1-5", pipe)
        assert writer.wait(timeout=60) == 0
    assert len(records(scored)) == 6


def test_a_report_of_a_pipe_leaves_no_file_that_has_a_name(model, traces, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    scored = succeed("score", "--model", model, "--heads", "1-5", traces)
    process = start("report", "-", TMPDIR=str(temporary))
    process.stdin.write(scored)
    process.stdin.flush()
    time.sleep(1)
    assert os.listdir(temporary) == []
    process.kill()
    process.communicate()
    assert os.listdir(temporary) == []


def hub_cache(folder, model, snapshots, main=None):
    """A cache as huggingface_hub lays it out, of somebody/planted."""
    home = folder / "hub" / "models--somebody--planted"
    for commit in snapshots:
        (home / "snapshots" / commit).mkdir(parents=True)
        for file in model.iterdir():
            (home / "snapshots" / commit / file.name).symlink_to(file)
    if main:
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text(main)
    return {"HF_HOME": str(folder)}


def test_a_name_on_the_hub_is_what_its_client_downloaded(model, traces, tmp_path):
    name, plain = "somebody/planted", succeed("score", "--model", model, "--heads", "1-5", traces)
    for case, snapshots, main in (("main", ["aa11", "bb22"], "bb22"), ("one", ["cc33"], None)):
        env = hub_cache(tmp_path / case, model, snapshots, main)
        result = run("score", "--model", name, "--heads", "1-5", traces, env=env)
        assert result.returncode == 0 and result.stdout == plain, result.stderr
        assert f"{name} is {tmp_path / case / 'hub' / 'models--somebody--planted' / 'snapshots' / snapshots[-1]}" in result.stderr.decode()
    message = fail(MODEL, "inspect", "--model", name, env=hub_cache(tmp_path / "many", model, ["aa11", "bb22"]))
    assert "2 snapshots of somebody/planted" in message and "bb22 names one" in message
    message = fail(MODEL, "inspect", "--model", name, env={"HF_HUB_CACHE": str(tmp_path)})
    assert "there is no such folder" in message and "hf download somebody/planted" in message


def test_products_of_a_processor_without_them(model, traces):
    """oneDNN is told to leave out what the processor may have: products are then float32's, and a warning says it."""
    def score(dtype, **env):
        result = run("score", "--model", model, "--heads", "1-5", "--dtype", dtype, "--order", "input", traces, env=env)
        assert result.returncode == 0, result.stderr
        return [record["air"]["base_nll"] for record in records(result.stdout)], result.stderr.decode()

    exact, quiet = score("float32", ONEDNN_MAX_CPU_ISA="AVX2")
    assert "multiply" not in quiet
    for dtype, feature in (("bfloat16", "AVX512-BF16"), ("float16", "AVX512-FP16")):
        losses, warning = score(dtype, ONEDNN_MAX_CPU_ISA="AVX2")
        assert f"this processor does not multiply in {dtype} ({feature} or AMX)" in warning
        assert losses == pytest.approx(exact, rel=0.1)   # the model is made by hand: its numbers are large
    flags = next(line for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith(("flags", "Features"))).split()
    losses, warning = score("bfloat16")
    assert losses == pytest.approx(exact, rel=0.1)   # the model is made by hand: its numbers are large
    assert ("multiply" in warning) != ("avx512_bf16" in flags or "amx_bf16" in flags)


def test_dtypes_have_short_names(model, traces):
    for short, long in (("bf16", "bfloat16"), ("fp32", "float32")):
        assert succeed("score", "--model", model, "--heads", "1-5", "--dtype", short, traces) == \
            succeed("score", "--model", model, "--heads", "1-5", "--dtype", long, traces)
