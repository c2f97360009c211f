"""Prompts of `air inspect` against transformers' apply_chat_template, with the model's own template; and what the verbs
after it make of a template."""
import gzip
import itertools
import json

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from air_runner import GSM8K, REPOSITORY, demo_model_folder, fail, records, succeed, write_records
from chat_cases import HOSTILE, TOOLS, conversations, message, templates
from test_jinja import fixed_date  # noqa: F401  every test sees the day that air takes for today

SHARED = REPOSITORY.parent / "shared" / "tokenizers"
FOLDERS = [demo_model_folder(), *(SHARED / name for name in ("deepseek_v3", "gemma3", "gptoss", "llama3", "mistral_v01", "qwen3"))]
RESPONSE = "A response.\n\nIts end"
CHATML = ("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


@pytest.fixture(scope="module", params=FOLDERS, ids=[f.name for f in FOLDERS])
def model(request, tmp_path_factory):
    """A folder, and transformers' tokenizer on the same files."""
    source = request.param
    if not (source / "tokenizer_config.json").exists():
        pytest.skip(f"no {source.name}")
    config = json.loads((source / "tokenizer_config.json").read_text())
    template = config.get("chat_template") or templates().get(f"trl/{source.name}")  # gpt-oss keeps its own apart
    if not template:
        pytest.skip(f"{source.name} has no chat template")
    folder = tmp_path_factory.mktemp(source.name)
    if not config.get("chat_template"):
        (folder / "chat_template.jinja").write_bytes(template.encode())
    (folder / "tokenizer_config.json").symlink_to(source / "tokenizer_config.json")
    if (source / "tokenizer.json").exists():
        (folder / "tokenizer.json").symlink_to(source / "tokenizer.json")
    else:
        (folder / "tokenizer.json").write_bytes(gzip.decompress((source / "tokenizer.json.gz").read_bytes()))
    special = {key: value["content"] if isinstance(value, dict) else value for key, value in config.items()
               if key.endswith("_token") and isinstance(value, (str, dict))}
    reference = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **special)
    reference.chat_template = template
    return folder, reference


def plain_talks():
    """Every content as the question, and with a system message and earlier turns around it."""
    questions = [json.loads(line)["prompt"] for line in GSM8K.read_text(encoding="utf-8").splitlines()][:12]
    for text in [*questions, *HOSTILE]:
        yield {"messages": [message("user", text)]}
    for a, b in itertools.islice(itertools.permutations(HOSTILE, 2), 0, None, 5):
        yield {"messages": [message("system", a), message("user", b)]}
        yield {"messages": [message("user", a), message("assistant", b), message("user", a)]}


def is_text(content):
    return isinstance(content, str) or (isinstance(content, list) and all(part["type"] == "text" for part in content))


def as_a_record(talk):
    """Messages whose contents are text; calls may stand alone."""
    return all(m["role"] and (is_text(m.get("content")) or (m.get("content") is None and m.get("tool_calls")))
               for m in talk["messages"])


def talks():
    yield from plain_talks()
    full = [talk for talk in conversations() if "tools" in talk and as_a_record(talk)]
    yield from full[::3]


def test_prompts_equal_apply_chat_template(model, tmp_path):
    folder, reference = model
    items, wanted = [], []
    for talk in talks():
        kwargs = {key: value for key, value in talk.items() if key not in ("messages", "tools")}
        try:
            prompt, ids = (reference.apply_chat_template(talk["messages"], tools=talk.get("tools"), add_generation_prompt=True,
                                                         tokenize=tokenize, return_dict=False, **kwargs) for tokenize in (False, True))
        except Exception:  # refused: test_jinja.py compares refusals
            continue
        wanted.append((prompt, ids, talk))
        items.append({"messages": [*talk["messages"], message("assistant", RESPONSE)], "tools": talk.get("tools"),
                      "chat_template_kwargs": kwargs})
    assert len(items) >= 50
    got = records(succeed("inspect", "--model", folder, write_records(tmp_path / "in.jsonl", items)))
    for (prompt, ids, talk), trace in zip(wanted, got, strict=True):
        assert trace["ids"] == reference(prompt + RESPONSE, add_special_tokens=False)["input_ids"], talk
        assert trace["ids"][:trace["response_begin"]] == ids, talk


def test_kwargs_of_the_flag_reach_the_template(model, tmp_path):
    folder, reference = model
    kwargs = {"enable_thinking": False, "reasoning_effort": "low"}
    talk = [message("user", "Why?")]
    path = write_records(tmp_path / "in.jsonl", [{"messages": [*talk, message("assistant", RESPONSE)]}])
    got, = records(succeed("inspect", "--model", folder, "--chat-template-kwargs", json.dumps(kwargs), path))
    prompt = reference.apply_chat_template(talk, add_generation_prompt=True, tokenize=False, **kwargs)
    assert got["ids"] == reference(prompt + RESPONSE, add_special_tokens=False)["input_ids"]


def test_inspect_shows_the_prompt_as_it_is_rendered(model, tmp_path):
    folder, reference = model
    talk, steps = [message("user", "Why?\n\nWhy not?")], ["One step.\n\n", "The end."]
    path = write_records(tmp_path / "in.jsonl", [{"id": "a", "messages": [*talk, message("assistant", "".join(steps))]}])
    trace, = records(succeed("inspect", "--model", folder, path))
    prompt = reference.apply_chat_template(talk, add_generation_prompt=True, tokenize=False)
    num_prompt, counts = trace["response_begin"], [step["num_tokens"] for step in trace["steps"]]
    wanted = f"== a: {num_prompt} tokens of prompt, {len(trace['ids']) - num_prompt} of response, 2 steps\n" + prompt
    wanted += "" if prompt.endswith("\n") else "\n"
    for number, (text, count) in enumerate(zip(steps, counts, strict=True), 1):
        wanted += f"-- step {number}: {count} tokens\n" + text + ("" if text.endswith("\n") else "\n")
    num_response = len(trace["ids"]) - num_prompt
    wanted += f"\nIn all: 1 trace, 2 steps, {num_response} response tokens; the longest has {len(trace['ids'])} tokens with its prompt"
    shown = succeed("inspect", "--text", "--model", folder, path).decode()
    assert shown.startswith(wanted) and shown.count("\n") == wanted.count("\n") + 1


def test_text_without_traces_is_refused(demo_model):
    assert "--text: shows traces" in fail(2, "inspect", "--text", "--model", demo_model)


def test_a_turn_that_keeps_its_parts_apart_is_written_as_the_template_does(tmp_path):
    """Thinking and tool calls of the scored turn: the ids are those of the whole conversation, less its end."""
    folder = SHARED / "qwen3"
    if not folder.exists():
        pytest.skip("no qwen3")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    reference = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    reference.chat_template = config["chat_template"]
    calls = [{"type": "function", "function": {"name": "mul", "arguments": {"a": 4, "b": 6}}}]
    turns = [message("assistant", "It is 24.", reasoning_content="Four times six."),
             message("assistant", "I call.", tool_calls=calls), message("assistant", "", tool_calls=calls),
             message("assistant", "", reasoning_content="I call.", tool_calls=calls)]
    items = [{"messages": [message("user", "4 x 6?"), turn], "tools": TOOLS} for turn in turns]
    got = records(succeed("inspect", "--model", folder, write_records(tmp_path / "in.jsonl", items)))
    for item, trace in zip(items, got, strict=True):
        whole = reference.apply_chat_template(item["messages"], tools=TOOLS, tokenize=False).removesuffix("<|im_end|>\n")
        prompt = reference.apply_chat_template(item["messages"][:1], tools=TOOLS, tokenize=False, add_generation_prompt=True)
        assert whole.startswith(prompt)
        assert trace["ids"] == reference(whole, add_special_tokens=False)["input_ids"]
        assert trace["response_begin"] == len(reference(prompt, add_special_tokens=False)["input_ids"])


def test_what_the_template_refuses_is_refused_in_its_words(tmp_path):
    folder = SHARED / "gemma3"
    if not folder.exists():
        pytest.skip("no gemma3")
    template = tmp_path / "gemma.jinja"
    template.write_text(json.loads((folder / "tokenizer_config.json").read_text())["chat_template"])
    talk = [message("user", "a"), message("user", "b"), message("assistant", "c")]
    text = fail(3, "inspect", "--model", SHARED / "qwen3", "--chat-template", template,
                write_records(tmp_path / "in.jsonl", [{"messages": talk}]))
    assert "in.jsonl:1: the chat template refuses the conversation: Conversation roles must alternate" in text


def test_select_and_report_need_no_template(demo_model, tmp_path):
    """The template of the run may be gone: what it joined stands in the scored line."""
    template = tmp_path / "mine.jinja"
    template.write_text(CHATML)
    items = [{"id": "a", "messages": [message("user", "4 x 6?"), message("assistant", "24.", reasoning_content="Four sixes.")]},
             {"id": "b", "messages": [message("user", "4 x 7?"), message("assistant", "28.")]}]
    scored = tmp_path / "scored.jsonl"
    succeed("score", "--model", demo_model, "--heads", "none", "--chat-template", template, "--chat-template-kwargs", '{"a":1}',
            write_records(tmp_path / "in.jsonl", items), "-o", scored)
    manifest = json.loads((tmp_path / "scored.jsonl.manifest.json").read_text())
    assert manifest["chat_template"]["source"] == "mine.jinja" and manifest["chat_template"]["kwargs"] == {"a": 1}
    tokens = ["select", scored, "--top-percent", "100", "--format", "tokens", "--tokenizer", demo_model]
    assert len(records(succeed(*tokens, "--chat-template", template))) == 2
    template.unlink()
    assert "--chat-template: the traces were scored with another chat template" in fail(2, *tokens)
    by_id = {line["id"]: line["air"] for line in records(scored.read_bytes())}
    assert by_id["a"]["response"] == "<think>\nFour sixes.\n</think>\n\n24." and "response" not in by_id["b"]
    assert len(records(succeed("select", scored, "--top-k", "1"))) == 1
    assert b"Four sixes." in succeed("report", scored)
    trl = {line["completion"][0]["content"] for line in records(succeed("select", scored, "--top-percent", "100", "--format", "trl"))}
    assert trl == {by_id["a"]["response"], "28."}


def test_rendered_prompts_are_scored_raw(tmp_path, demo_model):
    reference = PreTrainedTokenizerFast(tokenizer_file=str(demo_model / "tokenizer.json"))
    item = {"input": "<|im_start|>user\n4 x 6?<|im_end|>\n<|im_start|>assistant\n", "output": "24."}
    path = write_records(tmp_path / "in.jsonl", [item])
    got, = records(succeed("inspect", "--model", demo_model, "--prompt-field", "input", "--response-field", "output",
                           "--chat-template", "raw", path))
    assert got["ids"] == reference(item["input"] + item["output"], add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name, bos", [("llama3", "<|begin_of_text|>"), ("gemma3", "<bos>"), ("mistral_v01", "<s>")])
def test_one_bos_whether_the_text_has_it_or_not(name, bos, tmp_path):
    if not (SHARED / name).exists():
        pytest.skip(f"no {name}")
    folder = tmp_path
    for file in (SHARED / name).iterdir():
        if file.suffix == ".gz":
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        elif file.suffix == ".json":
            (folder / file.name).symlink_to(file)
    items = [{"text": "Some text."}, {"text": bos + "Some text."}]
    path = write_records(tmp_path / "in.jsonl", items)
    without, with_bos = records(succeed("inspect", "--model", folder, path))
    if without["begin"][0] < 0:  # --text shows what the tokenizer puts before a text
        assert succeed("inspect", "--text", "--model", folder, path).decode().splitlines()[1] == bos
    ids = with_bos["ids"]
    assert ids.count(ids[0]) == 1 and without["ids"] in (ids, ids[1:])  # Llama 3's file here adds none


@pytest.mark.parametrize("config, wanted", [
    ({"tokenizer_class": "PreTrainedTokenizerFast"}, "[]"), ({}, "[]"), ({"tokenizer_class": "GPT2Tokenizer", "bos_token": None}, "[]"),
    ({"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|im_start|>"}, "[<|im_start|>]"), ({"tokenizer_class": "GPT2Tokenizer"}, None)])
def test_a_token_that_only_the_class_implies_is_asked_for(config, wanted, demo_model, tmp_path):
    """What AutoTokenizer has for bos_token; where it takes one from the tokenizer's class, an error that names both."""
    config = {**config, "chat_template": "[{{ bos_token }}]{{ messages[0].content }}"}
    (tmp_path / "tokenizer.json").symlink_to(demo_model / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    path = write_records(tmp_path / "in.jsonl", [{"messages": [message("user", "Why?"), message("assistant", "So.")]}])
    prompt = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template([message("user", "Why?")], tokenize=False)
    if wanted is None:
        assert prompt == "[<|endoftext|>]Why?"
        text = fail(4, "inspect", "--model", tmp_path, path)
        assert 'reads bos_token' in text and '"tokenizer_class": "GPT2Tokenizer"' in text
    else:
        assert prompt == wanted + "Why?"
        assert f"\n{wanted}Why?\n--" in succeed("inspect", "--text", "--model", tmp_path, path).decode()


def case_model(tmp_path, name):
    """A case's records, what inspect makes of them with the demo model's tokenizer and Qwen3's template (trl's), and
    transformers' tokenizer on the same files."""
    template = templates().get("trl/qwen3")
    if template is None:
        pytest.skip("no trl")
    source = demo_model_folder()
    (tmp_path / "chat_template.jinja").write_bytes(template.encode())
    (tmp_path / "tokenizer.json").symlink_to(source / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    reference = PreTrainedTokenizerFast(tokenizer_file=str(source / "tokenizer.json"), eos_token="<|im_end|>")
    reference.chat_template = template
    path = REPOSITORY / "tests" / "cases" / name
    return records(path.read_bytes()), records(succeed("inspect", "--model", tmp_path, path)), reference


# ProfSynapse/Synaptic-Tuner#42; cubist38/mlx-openai-server#205 (D05), NVIDIA-NeMo/Automodel#2348, #2324;
# langchain4j/langchain4j#1958 (D06), OpenRLHF/OpenRLHF#1080; THUDM/slime#1742 (D43)
@pytest.mark.parametrize("name, says", [
    ("D05_tool_calls_null_content/in.jsonl", ['{"name": "mul", "arguments": {"a":4,"b":6}}', "<tool_response>\n24\n</tool_response>"]),
    ("D06_tool_calls_dropped/history.jsonl", ['{"name": "mul", "arguments": {"a": 4, "b": 6}}', "<tool_response>\n24\n</tool_response>"]),
    ("D43_tool_response_text/in.jsonl", ["<think>\nI call the tool.\n</think>", "<tool_response>\n24\n</tool_response>"]),
])
def test_calls_before_the_scored_turn_are_part_of_the_prompt(tmp_path, name, says):
    """Issue 17: nothing of a conversation with tools is left out; the ids are transformers'."""
    items, got, reference = case_model(tmp_path, name)
    assert len(items) == len(got) > 0
    for item, trace in zip(items, got, strict=True):
        prompt = reference.apply_chat_template(item["messages"][:-1], tools=item.get("tools"), tokenize=False, add_generation_prompt=True)
        assert all(text in prompt for text in says), prompt
        assert trace["ids"] == reference(prompt + item["messages"][-1]["content"], add_special_tokens=False)["input_ids"]
        assert trace["response_begin"] == len(reference(prompt, add_special_tokens=False)["input_ids"])


def test_calls_in_the_scored_turn_are_scored_and_tools_as_text_are_read(tmp_path):
    """D06: the scored turn is a text and a call, the tools are JSON in a string."""
    [item], [trace], reference = case_model(tmp_path, "D06_tool_calls_dropped/in.jsonl")
    tools = json.loads(item["tools"])
    whole = reference.apply_chat_template(item["messages"], tools=tools, tokenize=False).removesuffix("<|im_end|>\n")
    prompt = reference.apply_chat_template(item["messages"][:1], tools=tools, tokenize=False, add_generation_prompt=True)
    assert '"name": "mul"' in prompt and "I will use the tool.\n<tool_call>" in whole and whole.startswith(prompt)
    assert trace["ids"] == reference(whole, add_special_tokens=False)["input_ids"]
    assert trace["response_begin"] == len(reference(prompt, add_special_tokens=False)["input_ids"])
