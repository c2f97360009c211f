"""Chat templates and conversations for the tests that compare them with transformers."""
import itertools
import json
import importlib.util
import os
from pathlib import Path

from air_runner import REPOSITORY, demo_model_folder

HOSTILE = ["{{ braces }} {% if x %}", "a </think> b", "<think>x</think>\n\ny", "trailing spaces  \n", "\n\n leading",
           "<|im_end|>\n<|im_start|>user", "<end_of_turn>\n<start_of_turn>model", "<|eot_id|>", "<｜Assistant｜>",
           "\u00a0\u2003nbsp\u00a0", "e\u0301 👩‍👩‍👧", "\\n \\\"q\\\"", "\r\n", "", " ",
           "<tool_response>\n24\n</tool_response>", "x" * 50, "1", "<think>\n"]
TOOLS = [
    {"type": "function", "function": {
        "name": "mul", "description": "Multiplies <two> 'numbers' & \"more\"", "parameters": {
            "type": "object", "required": ["a", "b"], "properties": {
                "a": {"type": "number", "description": "first"},
                "b": {"type": ["integer", "null"], "enum": [1, 2, 3], "default": 1.5},
                "c": {"type": "array", "items": {"type": "string"}},
                "d": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"]},
                "e": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, "return": {"type": "number"}}},
    {"type": "function", "function": {"name": "nop", "description": "", "parameters": {}}}]
KWARGS = [{}, {"enable_thinking": True}, {"enable_thinking": False}, {"reasoning_effort": "high"},
          {"documents": [{"title": "T", "text": "x\ny"}]}, {"date_string": "1 Jan 2025"}, {"thinking": True},
          {"builtin_tools": ["python", "browser"]}, {"preserve_thinking": True}, {"add_vision_id": True},
          {"model_identity": "M", "tools_in_user_message": False}]


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def call(arguments, call_id="call_0_abcdef"):
    return {"id": call_id, "type": "function", "function": {"name": "mul", "arguments": arguments}}


def plain_conversations():
    """1,444 conversations: every pair of hostile contents in four shapes."""
    for a, b in itertools.product(HOSTILE, HOSTILE):
        yield [message("user", a)]
        yield [message("system", a), message("user", b)]
        yield [message("user", a), message("assistant", b), message("user", a)]
        yield [message("system", b), message("user", a), message("assistant", b), message("user", "end")]


def tool_conversations():
    """Tools, calls and their results, thinking, missing and null contents, lists of parts, roles of all kinds."""
    for arguments in ({"a": 4, "b": 6}, '{"a":4,"b":6}', {"a": "é\"", "c": [1, None, {"z": 1.0}]}, {}):
        yield [message("system", "S"), message("user", "4 x 6?"),
               message("assistant", None, tool_calls=[call(arguments)]),
               message("tool", "24", tool_call_id="call_0_abcdef", name="mul")]
        yield [message("user", "4 x 6?"),
               message("assistant", "text", tool_calls=[call(arguments), call(arguments, "callid002")],
                       reasoning_content="why"),
               message("tool", "24", tool_call_id="c1", name="mul"), message("tool", '{"r":24}', tool_call_id="c2"),
               message("assistant", "<think>\nDone.\n</think>\n\n24")]
        yield [message("user", "4 x 6?"),
               message("assistant", "", tool_calls=[{"name": "mul", "arguments": arguments}]),
               message("tool", [{"type": "text", "text": "24"}]),
               message("assistant", [{"type": "text", "text": "It is 24."}])]
        yield [{"role": "user"}, {"role": "assistant", "tool_calls": [call(arguments)]},
               {"role": "observation", "content": "o"}]
    yield [message("developer", "D"),
           message("user", [{"type": "text", "text": "part 1"}, {"type": "text", "text": "part 2"}]),
           message("assistant", "a", thinking="th"), message("user", "<tool_response>\n24\n</tool_response>"),
           message("assistant", "b", reasoning="re")]
    yield [message("user", [{"type": "image"}, {"type": "text", "text": "what?"}]),
           {"role": "assistant", "content": "x", "tool_calls": [], "reasoning_content": ""}, message("user", "")]
    yield [message("assistant", "first"), message("user", "u"), message("user", "v"),
           message("ipython", {"output": 1}), message("function", "f")]


def conversations():
    """What transformers' apply_chat_template may be given: messages, tools, and keyword arguments."""
    for messages in plain_conversations():
        yield {"messages": messages}
    for messages, tools, kwargs, tail in itertools.product(tool_conversations(), (None, TOOLS, TOOLS[:1], []), KWARGS,
                                                           ([], [message("user", "more?")])):
        yield {"messages": messages + tail, "tools": tools, **kwargs}


def package_folder(name):
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec else None


def templates():
    """Name → text: what trl and axolotl ship, and what the model folders at hand have."""
    found = {}
    for package, folder in (("trl", "chat_templates"), ("axolotl", "utils/chat_templates/templates")):
        root = package_folder(package)
        for path in sorted((root / folder).glob("*.jinja")) if root else []:
            with open(path, newline="", encoding="utf-8") as file:
                found[f"{package}/{path.stem}"] = file.read()
    shared = REPOSITORY.parent / "shared" / "tokenizers"
    for folder in [demo_model_folder(), *sorted(shared.glob("*"))]:
        path = folder / "tokenizer_config.json"
        template = json.loads(path.read_text(encoding="utf-8")).get("chat_template") if path.exists() else None
        if isinstance(template, str):
            found[folder.name] = template
    return found
