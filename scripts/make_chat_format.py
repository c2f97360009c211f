#!/usr/bin/env python3
"""Makes a chat-format file for `air --chat-template FILE` from a model folder's own Jinja template.

The template is rendered with jinja2 on conversations of marked texts; what stands around the marks becomes the format
(docs/chat-formats.md). Then the format is held against the template on conversations with hostile contents; a format that
differs anywhere is not written.

    scripts/make_chat_format.py --model DIR -o format.json
    scripts/make_chat_format.py --template FILE.jinja --bos '<s>' --eos '</s>' --name NAME -o format.json
"""
import argparse
import datetime
import itertools
import json
import os
import re
import sys
from pathlib import Path

import jinja2
import jinja2.sandbox

SYSTEM, USER, USER_2, ANSWER, THOUGHT = "¤SYSTEM¤", "¤USER¤", "¤USER2¤", "¤ANSWER¤", "¤THOUGHT¤"
HOSTILE = ["plain", "", " both ends \n", "\n\nfirst", "last\t ", "{{ braces }} {% if x %}", "a </think> b", "<think>x</think>\n\ny",
           "<think>\nnever closed", "<|im_end|>\n<|im_start|>user\n", "[/INST] </s> [INST]", "<<SYS>>x<</SYS>>", "<end_of_turn>",
           "\u00a0nbsp\u2003", "\x1cfile separator\x1c", "<|eot_id|>", "e\u0301 👩‍👩‍👧 \U0010ffff", "\\n \\ \"quotes\" '", "\r\nCRLF\r\n"]


class Unsupported(Exception):
    """The template refuses a conversation, or can't be said as a format."""


class Template:
    """A Jinja template in the environment that transformers gives it."""

    def __init__(self, text, tokens, today):
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        environment.filters["tojson"] = lambda x, **kw: json.dumps(x, ensure_ascii=False, indent=kw.get("indent"))
        environment.globals["raise_exception"] = self._refuse
        environment.globals["strftime_now"] = today.strftime
        self._template = environment.from_string(text)
        self._tokens = tokens
        self.text = text

    @staticmethod
    def _refuse(message):
        raise Unsupported(message)

    def render(self, messages, generation=True):
        try:
            return self._template.render(messages=messages, add_generation_prompt=generation, **self._tokens)
        except (jinja2.TemplateError, TypeError, KeyError) as error:
            raise Unsupported(str(error)) from error


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def fingerprint(text):
    """FNV-1a, 64 bits: how air recognises a template. Jinja itself ignores one newline at the end."""
    value = 0xCBF29CE484222325
    for byte in text.removesuffix("\n").encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def cut(text, *marks):
    """The pieces of a text around marks that must follow one another."""
    pieces = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found:
            raise Unsupported(f"the template does not write the {mark.strip('¤').lower()} text as it is")
        pieces.append(before)
    return [*pieces, text]


def common_suffix(a, b):
    return os.path.commonprefix([a[::-1], b[::-1]])[::-1]


def strip_rule(render):
    """What happens to the ends of a content; render(content) is the text."""
    bare = render("¤X¤")
    left, right = render(" \n¤X¤") != bare, render("¤X¤\n ") != bare
    if left and right and render("\n\n¤X¤") == bare:
        return "left-newlines"
    return {(True, True): "none", (False, False): "both", (False, True): "left", (True, False): "right"}[left, right]


def turn(prefix, suffix, strip):
    return {"prefix": prefix, "suffix": suffix, **({"strip": strip} if strip != "none" else {})}


class Deriver:
    """Finds the parts of a format."""

    def __init__(self, template):
        self.render = template.render

    def derive(self):
        self.user_and_assistant()
        self.system()
        self.generation()
        self.reasoning()
        order = ["begin", "default_system", "system_in_user", "turns", "generation", "thinking", "reasoning"]
        return {key: self.format[key] for key in order if self.format.get(key) is not None}

    def user_and_assistant(self):
        before, open_end = cut(self.render([message("user", USER)]), USER)
        conversation = [message("user", USER), message("assistant", ANSWER)]
        answer_end = cut(self.render(conversation, generation=False), USER, ANSWER)[2]
        _, middle, between, _ = cut(self.render([*conversation, message("user", USER_2)]), USER, ANSWER, USER_2)
        closed_end = cut(self.render([message("user", USER)], generation=False), USER)[1]
        if not (middle.startswith(closed_end) and open_end.startswith(closed_end)):
            closed_end = os.path.commonprefix([middle, open_end])
        user_prefix = between.removeprefix(answer_end)
        if not (between.startswith(answer_end) and before.endswith(user_prefix)):
            user_prefix = common_suffix(before, between)
        user_strip = strip_rule(lambda text: self.render([message("user", text)]))
        answer_strip = strip_rule(lambda text: self.render([conversation[0], message("assistant", text), message("user", "u")]))
        assistant = turn(middle.removeprefix(closed_end), between.removesuffix(user_prefix), answer_strip)
        assistant.update(self.dropped_thinking(conversation[0]))
        self.before, self.open_end = before, open_end
        self.format = {"begin": None, "turns": {"user": turn(user_prefix, closed_end, user_strip), "assistant": assistant}}

    def dropped_thinking(self, user):
        answer = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"
        text = self.render([user, message("assistant", answer), message("user", USER_2)])
        if THOUGHT in text:
            return {}
        return {"drop_thinking": "keep-newlines" if f"\n\n{ANSWER}" in text else "strip-newlines"}

    def system(self):
        """Its own turn, a place in a user turn, or none at all."""
        user_prefix = self.format["turns"]["user"]["prefix"]
        try:
            text = self.render([message("system", SYSTEM), message("user", USER)])
        except Unsupported:
            text = None
        if text is None or SYSTEM not in text:
            self.format["begin"] = self.before.removesuffix(user_prefix)
            if text == self.render([message("user", USER)]):
                self.format["turns"]["system"] = {**turn("", "", "none"), "ignore": True}
            return
        before_system, middle, _ = cut(text, SYSTEM, USER)
        if middle.endswith(user_prefix):
            self.own_turn(before_system, middle, user_prefix)
        else:
            self.in_user_turn(before_system, middle, user_prefix)

    def own_turn(self, before_system, middle, user_prefix):
        plain = self.before.removesuffix(user_prefix)
        begin = self.begin_of(before_system)
        default = None
        if self.before.startswith(before_system) and self.before.removeprefix(before_system).endswith(middle):
            default = self.before[len(before_system):len(self.before) - len(middle)]
        if default or (default == "" and before_system != begin):
            self.format["default_system"] = default
        else:
            begin = os.path.commonprefix([plain, before_system])
            if begin != plain:
                raise Unsupported("the template begins differently with and without a system message")
        strip = strip_rule(lambda text: self.render([message("system", text), message("user", USER)]))
        system = turn(before_system.removeprefix(begin), middle.removesuffix(user_prefix), strip)
        if "default_system" not in self.format and self.skips_empty_system():
            system["skip_empty"] = True
        self.format["begin"] = begin
        self.format["turns"] = {"system": system, **self.format["turns"]}

    def skips_empty_system(self):
        return self.render([message("system", ""), message("user", USER)]) == self.render([message("user", USER)])

    @staticmethod
    def begin_of(text):
        """BOS, where the system turn is there always."""
        found = re.match(r"<s>|<bos>|<\|begin_of_text\|>|<\|endoftext\|>|<｜begin▁of▁sentence｜>", text)
        return found.group() if found else ""

    def in_user_turn(self, before_system, middle, user_prefix):
        begin = self.before.removesuffix(user_prefix)
        if not before_system.startswith(begin + user_prefix):
            raise Unsupported("the system message stands in an unknown place")
        conversation = [message("system", SYSTEM), message("user", USER), message("assistant", ANSWER), message("user", USER_2)]
        text = self.render(conversation)
        place = {"which": "last" if text.index(SYSTEM) > text.index(ANSWER) else "first",
                 **turn(before_system.removeprefix(begin + user_prefix), middle,
                        strip_rule(lambda text: self.render([message("system", text), message("user", USER)])))}
        strip = self.format["turns"]["user"].get("strip", "none")
        kept = " " + USER in self.render([message("system", SYSTEM), message("user", " " + USER)])
        if strip in ("both", "left") and kept:
            place["strip_joined"] = True
        self.format["begin"], self.format["system_in_user"] = begin, place

    def generation(self):
        opening = self.open_end.removeprefix(self.format["turns"]["user"]["suffix"])
        found = re.search(r"<think>\n*$", opening)
        self.format["generation"] = opening[:found.start()] if found else opening
        if found:
            self.format["thinking"] = found.group()

    def reasoning(self):
        """How thinking that is kept apart is joined with the answer that follows the generation prompt."""
        opening = self.format["turns"]["user"]["suffix"] + self.format["generation"]
        for key in ("reasoning_content", "thinking"):
            def render(thought, key=key):
                return self.render([message("user", USER), message("assistant", ANSWER, **{key: thought})], generation=False)
            try:
                _, before, between, _ = cut(render(THOUGHT), USER, THOUGHT, ANSWER)
            except Unsupported:
                continue
            if before.startswith(opening):
                strips = "\n\n" + THOUGHT not in render("\n\n" + THOUGHT)
                self.format["reasoning"] = {"before": before.removeprefix(opening), "between": between,
                                            **({"strip_newlines": True} if strips else {})}
                return


def strip(rule, text):
    if rule == "left-newlines":
        return text.lstrip("\n")
    return {"none": str, "both": str.strip, "left": str.lstrip, "right": str.rstrip}[rule](text)


def render_format(form, messages):
    """What air writes for a format: a second implementation of ChatFormat::render_prompt."""
    turns = list(messages)
    if turns[0]["role"] != "system" and form.get("default_system") is not None:
        turns.insert(0, message("system", form["default_system"]))
    carrier, joined = None, ""
    place = form.get("system_in_user")
    if place and turns[0]["role"] == "system":
        system = turns.pop(0)["content"]
        joined = place["prefix"] + strip(place.get("strip", "none"), system) + place["suffix"]
        users = [m for m in turns if m["role"] == "user"]
        carrier = users[-1 if place.get("which") == "last" else 0]
    out = form.get("begin", "")
    for m in turns:
        if m["role"] not in form["turns"]:
            raise Unsupported(f"no place for the role {m['role']}")
        rule = form["turns"][m["role"]]
        content = m["content"]
        if rule.get("ignore") or (rule.get("skip_empty") and not content):
            continue
        if "drop_thinking" in rule and "</think>" in content:
            content = content.split("</think>")[-1]
            content = content.lstrip("\n") if rule["drop_thinking"] == "strip-newlines" else content
        if m is carrier and place.get("strip_joined"):
            content = strip(rule.get("strip", "none"), joined + content)
        else:
            content = (joined if m is carrier else "") + strip(rule.get("strip", "none"), content)
        out += rule["prefix"] + content + rule["suffix"]
    return out + form["generation"] + form.get("thinking", "")


def conversations():
    """One and several turns, with and without a system message, with every pair of hostile contents."""
    for a, b in itertools.product(HOSTILE, HOSTILE):
        yield [message("user", a)]
        yield [message("system", a), message("user", b)]
        yield [message("user", a), message("assistant", b), message("user", a)]
        yield [message("system", b), message("user", a), message("assistant", b), message("user", "end")]


def check(template, form):
    """The number of conversations that came out alike; raises at the first that does not."""
    same = refused = 0
    for messages in conversations():
        try:
            wanted = template.render(messages)
        except Unsupported:
            refused += 1
            continue
        got = render_format(form, messages)
        if got != wanted:
            raise Unsupported("the format would differ from the template on\n  " + json.dumps(messages, ensure_ascii=False) +
                              f"\n  template: {wanted!r}\n  format:   {got!r}")
        same += 1
    return same, refused


def read_folder(folder):
    """Template and special tokens of a model folder."""
    config = json.loads((folder / "tokenizer_config.json").read_text()) if (folder / "tokenizer_config.json").exists() else {}
    text = config.get("chat_template")
    if (folder / "chat_template.json").exists():
        text = json.loads((folder / "chat_template.json").read_text())["chat_template"]
    if (folder / "chat_template.jinja").exists():
        with open(folder / "chat_template.jinja", newline="") as file:
            text = file.read()
    if isinstance(text, list):
        text = next((t["template"] for t in text if t["name"] == "default"), None)
    if not isinstance(text, str):
        raise Unsupported(f"{folder} has no chat template")
    tokens = {}
    for key in ("bos_token", "eos_token", "unk_token", "pad_token"):
        value = config.get(key)
        value = value.get("content") if isinstance(value, dict) else value
        if value is not None:
            tokens[key] = value
    return text, tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a Hugging Face model folder")
    parser.add_argument("--template", type=Path, help="a Jinja file in place of a folder")
    parser.add_argument("--bos", default="", help="BOS token for --template")
    parser.add_argument("--eos", default="", help="EOS token for --template")
    parser.add_argument("--name", help="name of the format; default: the folder's or file's name")
    parser.add_argument("--source", help="where the template comes from, for the file's reader")
    parser.add_argument("--date", default=datetime.date.today().isoformat(), help="for templates that write today's date")
    parser.add_argument("--also", type=Path, action="append", default=[], metavar="FILE.jinja",
                        help="another template that the same format must stand for")
    parser.add_argument("-o", "--output", default="-", help="format file; - is standard output")
    args = parser.parse_args()
    if bool(args.model) == bool(args.template):
        parser.error("one of --model and --template is needed")
    try:
        if args.model:
            text, tokens = read_folder(args.model)
        else:
            with open(args.template, newline="") as file:
                text, tokens = file.read(), {"bos_token": args.bos, "eos_token": args.eos}
        template = Template(text, tokens, datetime.datetime.fromisoformat(args.date))
        derived = Deriver(template).derive()
        same, refused = check(template, derived)
        prints = [fingerprint(text)]
        for path in args.also:
            with open(path, newline="") as file:
                other = file.read()
            check(Template(other, tokens, datetime.datetime.fromisoformat(args.date)), derived)
            prints.append(fingerprint(other))
    except (Unsupported, OSError, ValueError) as error:
        sys.exit(f"make_chat_format: {error}\nNo format file was written. --chat-template none or a file written by hand "
                 "(docs/chat-formats.md) are the ways left.")
    name = args.name or (args.model or args.template).resolve().stem
    form = {"name": name, "source": args.source or f"chat template of {name}", "templates": sorted(set(prints)), **derived}
    out = json.dumps(form, ensure_ascii=False, indent=2) + "\n"
    if args.output == "-":
        sys.stdout.write(out)
    else:
        Path(args.output).write_text(out)
    print(f"{name}: alike on {same} conversations ({refused} more are refused by the template itself)", file=sys.stderr)


if __name__ == "__main__":
    main()
