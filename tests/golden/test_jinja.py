"""The Jinja interpreter against jinja2, set up as transformers does: expressions, and every chat template at hand."""
import datetime
import json
import re
import subprocess
from pathlib import Path

import pytest
from transformers.utils import chat_template_utils

from air_runner import air_binary
from chat_cases import conversations, templates

MULTI_LINE = r'''a{#- comment -#}  b {# x #}c
  {% if true %}
  x
  {% endif %}
y {%- if true %} z {%- endif -%}  w
    {{ 1 }}
  {%+ if true %} q{% endif +%}

line
{% raw %}{{ not }} {% x %}{% endraw %}|{%- raw -%}  a  {%- endraw %} b
{{ "a" "b" 'c' }}{{ 'it\'s \u00e9 \x41 \n \q \\' }}{{ "éé" }}{{ "multi
line" }}'''
WHITE_SPACE = [
    MULTI_LINE, MULTI_LINE + "\n", MULTI_LINE.replace("\n", "\r\n") + "\r\n\r\n",
    "\n{% if true %}\n  a\n{% endif %}\n\n", "  {% set x = 1 %}  \n  {{ x }}\n  {#- c #}\n {# d +#}\nz", '{{ "a" }}\n\n',
    "{%- for x in [1,2] %}\n  {{ x }}\n{%- endfor %}\n", "{% for x in [1,2] -%}\n  {{ x }}\n{% endfor %}\n",
    "x\n   {%+ if 1 %}a{% endif %}\n\t{% if 1 %}b{% endif %}\n y {% if 1 %}c{% endif %}",
    "a\r{% if 1 %}\rb{% endif %}", "\u00a0{% if 1 %}\u2003x{%- endif %}", "{{ 'a\r\nb' }}", "x{{ 1 }}\n{{ 2 }}\n", "", "\n"]
VARIABLES = {"ms": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
BATCH = 20_000


class FixedDate(datetime.datetime):
    """The day that tests/text/render_templates.cpp takes for today."""
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


@pytest.fixture(autouse=True)
def fixed_date(monkeypatch):
    monkeypatch.setattr(chat_template_utils, "datetime", FixedDate)


def render(tasks, *arguments):
    """What air makes of (template, variables)."""
    program = Path(air_binary()).parent / "tests" / "render_templates"
    out = []
    for i in range(0, len(tasks), BATCH):
        lines = "".join(json.dumps({"template": t, "variables": v}) + "\n" for t, v in tasks[i:i + BATCH])
        result = subprocess.run([program, *arguments], input=lines.encode(), capture_output=True, check=True)
        out += [json.loads(line) for line in result.stdout.decode().split("\n")[:-1]]
    assert len(out) == len(tasks)
    return out


def reference(template, variables):
    try:
        return {"out": chat_template_utils._compile_jinja_template(template).render(**variables)}
    except Exception as error:  # whatever Python raises is a refusal
        return {"error": str(error), "type": type(error).__name__}


def assert_same(template, variables, wanted, got):
    assert ("error" in wanted) == ("error" in got), (template, variables, wanted, got)
    assert wanted.get("out") == got.get("out"), (template, variables, wanted, got)
    if wanted.get("type") == "TemplateError":  # raise_exception
        assert wanted["error"] in got["error"], (template, variables, wanted, got)


def lines_of(name):
    return (Path(__file__).parent / name).read_text(encoding="utf-8").split("\n")[:-1]


def expressions():
    """The lines of jinja_expressions.txt, and their expressions one by one."""
    lines = lines_of("jinja_expressions.txt")
    yield from lines
    for line in lines:
        parts = re.findall(r"\{\{ .*? \}\}", line)
        if len(parts) > 2 and "{%" not in line:
            yield from parts
    yield from WHITE_SPACE


def test_expressions_are_jinja2s():
    sources = list(expressions())
    assert len(sources) > 400
    for source, got in zip(sources, render([(source, VARIABLES) for source in sources])):
        wanted = reference(source, VARIABLES)
        if "at 0x" not in wanted.get("out", ""):  # an address is an error to air
            assert_same(source, VARIABLES, wanted, got)


def test_what_air_leaves_out_of_the_language_is_refused_by_name():
    """Never something else in its place: each line renders with jinja2 and is an error to air that says what is missing."""
    sources = lines_of("jinja_refused.txt")
    for source, got in zip(sources, render([(source, VARIABLES) for source in sources])):
        assert "out" in reference(source, VARIABLES), source
        assert re.search(r"air does not|air needs|air makes|No (filter|test) named|not for chat templates|takes \d arguments|unexpected keyword|"
                         r"expected token .*, got '(\*\*|\|)'", got["error"]), (source, got)


def variables_of(conversation):
    """What apply_chat_template hands to the template, as it prepares it."""
    conversation = dict(conversation)
    messages = chat_template_utils._normalize_chat_messages(conversation.pop("messages"))
    messages = chat_template_utils._alias_reasoning_fields(chat_template_utils._plain_template_data(messages))
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    return {**tokens, "messages": messages, "tools": conversation.pop("tools", None),
            "documents": conversation.pop("documents", None), **conversation}


def compare_all(step):
    found = templates()
    assert len(found) > 20 or not any(name.startswith("trl/") for name in found)
    cases = [variables_of(conversation) for conversation in conversations()]
    num_compared = 0
    for number, (name, template) in enumerate(found.items()):
        tasks = [(template, {**case, "add_generation_prompt": prompt})
                 for case in cases[number % step::step] for prompt in (True, False)]
        for (source, variables), got in zip(tasks, render(tasks)):
            assert_same(name, variables, reference(source, variables), got)
            num_compared += 1
    print(f"{num_compared} renderings of {len(found)} templates")


def test_every_template_renders_as_with_jinja2():
    compare_all(41)


@pytest.mark.slow
def test_every_template_renders_every_conversation_as_with_jinja2():
    compare_all(1)
