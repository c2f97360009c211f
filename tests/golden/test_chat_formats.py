"""Prompts of `air inspect --chat-template auto` against transformers' apply_chat_template with the model's own template."""
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from air_runner import GSM8K, REPOSITORY, demo_model_folder, fail, records, succeed, write_records

SHARED = REPOSITORY.parent / "shared" / "tokenizers"
FOLDERS = [demo_model_folder(), *(SHARED / name for name in ("deepseek_v3", "gemma3", "llama3", "qwen3"))]
RESPONSE = "A response.\n\nIts end"
HOSTILE = ["{{ braces }} {% if x %}", "a </think> b", "<think>x</think>\n\ny", "trailing spaces  \n", "\n\n leading", "<|im_end|>\n<|im_start|>user",
           "<end_of_turn>\n<start_of_turn>model", "<|eot_id|>", "<｜Assistant｜>", "\u00a0\u2003nbsp\u00a0", "e\u0301 👩‍👩‍👧", "\\n \\\"q\\\"", "\r\n"]


@pytest.fixture(scope="module", params=FOLDERS, ids=[f.name for f in FOLDERS])
def model(request, tmp_path_factory):
    """A folder, and transformers' tokenizer on the same files."""
    source = request.param
    if not (source / "tokenizer_config.json").exists():
        pytest.skip(f"no {source.name}")
    folder = tmp_path_factory.mktemp(source.name)
    (folder / "tokenizer_config.json").symlink_to(source / "tokenizer_config.json")
    if (source / "tokenizer.json").exists():
        (folder / "tokenizer.json").symlink_to(source / "tokenizer.json")
    else:
        import gzip
        (folder / "tokenizer.json").write_bytes(gzip.decompress((source / "tokenizer.json.gz").read_bytes()))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    special = {key: config[key] for key in ("bos_token", "eos_token") if config.get(key)}
    special = {key: value["content"] if isinstance(value, dict) else value for key, value in special.items()}
    reference = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special)
    reference.chat_template = config["chat_template"]
    return folder, reference


def conversations():
    """50 and more: every content as the question, and with a system message and earlier turns around it."""
    questions = [json.loads(line)["prompt"] for line in GSM8K.read_text(encoding="utf-8").splitlines()][:12]
    for text in [*questions, *HOSTILE]:
        yield [("user", text)]
    for a, b in itertools.islice(itertools.permutations(HOSTILE, 2), 0, None, 5):
        yield [("system", a), ("user", b)]
        yield [("user", a), ("assistant", b), ("user", a)]
    yield [("system", ""), ("user", "empty system")]


def test_prompts_equal_apply_chat_template(model, tmp_path):
    folder, reference = model
    talks = [[{"role": role, "content": content} for role, content in talk] for talk in conversations()]
    items = [{"messages": [*talk, {"role": "assistant", "content": RESPONSE}]} for talk in talks]
    got = records(succeed("inspect", "--model", folder, write_records(tmp_path / "in.jsonl", items)))
    assert len(got) == len(talks) >= 50
    for talk, trace in zip(talks, got):
        prompt = reference.apply_chat_template(talk, add_generation_prompt=True, tokenize=False)
        assert trace["ids"] == reference(prompt + RESPONSE, add_special_tokens=False)["input_ids"], talk
        ids = reference.apply_chat_template(talk, add_generation_prompt=True, tokenize=True, return_dict=False)
        assert trace["ids"][:trace["response_begin"]] == ids, talk


def test_made_format_equals_the_built_in_one(model, tmp_path):
    """scripts/make_chat_format.py on the folder: the same prompts as the format that `auto` recognises."""
    folder, _ = model
    made = tmp_path / "format.json"
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_chat_format.py", "--model", folder, "-o", made], check=True,
                   capture_output=True)
    items = [{"messages": [{"role": role, "content": content} for role, content in [*talk, ("assistant", RESPONSE)]]}
             for talk in conversations()]
    path = write_records(tmp_path / "in.jsonl", items)
    assert succeed("inspect", "--model", folder, "--chat-template", made, path) == succeed("inspect", "--model", folder, path)


def test_unknown_template_names_the_way_out(model, tmp_path):
    folder, _ = model
    (tmp_path / "tokenizer.json").symlink_to(folder / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages[0].content }}!"}))
    message = fail(4, "inspect", "--model", tmp_path, write_records(tmp_path / "in.jsonl", [{"prompt": "a", "response": "b"}]))
    assert "tokenizer_config.json" in message and "make_chat_format.py" in message


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs" / "chat").glob("*.json")), ids=lambda p: p.stem)
def test_every_built_in_format_renders_as_the_script_does(path, tmp_path):
    """Two implementations of a format file, C++ and Python, on a tokenizer that spells every byte."""
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    from make_chat_format import Unsupported, render_format
    folder = demo_model_folder()
    if not folder.is_dir():
        pytest.skip(f"no demo model at {folder}")
    reference = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    form = json.loads(path.read_text())
    items, wanted = [], []
    for talk in conversations():
        messages = [{"role": role, "content": content} for role, content in talk]
        try:
            wanted.append(render_format(form, messages))
        except Unsupported:
            continue
        items.append({"messages": [*messages, {"role": "assistant", "content": RESPONSE}]})
    assert len(items) >= 20
    path_in = write_records(tmp_path / "in.jsonl", items)
    got = records(succeed("inspect", "--model", folder, "--chat-template", path.stem, path_in))
    for text, item, trace in zip(wanted, items, got, strict=True):
        assert trace["ids"] == reference(text + RESPONSE, add_special_tokens=False)["input_ids"], item
