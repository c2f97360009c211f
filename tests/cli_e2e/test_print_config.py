"""--print-config read back by --config is the same run, for every flag that the program says it has."""
import re
import subprocess
import tomllib

import pytest
from air_runner import air_binary, clean_environment, succeed

VERBS = ["find-heads", "score", "select", "report", "show", "inspect"]
# Not in a config file: they are about it, or end the program.
LEFT_OUT = {"--help", "--config", "--print-config"}

# Texts as they come: what a shell, TOML or the parser of flags could take for its own.
TEXTS = ["plain", "with space", r"a\nb\\c\d+", 'quo"te and \'tick\'', "# no comment", "été ✓", "true", "007", " edges ", "tab\tnew\nline", "[x]", "a = 1"]
# What a flag with a value of this name takes: any of them. A new kind of value needs its line here.
VALUES = {
    **dict.fromkeys(["FILE", "DIR", "NAME", "NAME,…", "ID", "TEXT", "TOKEN", "FIELD", "FILE|LIST", "HEADS", "WHICH", "DEVICE", "DTYPE"], TEXTS),
    "RULE": [r"regex:(\n\n|\\n)+\s*", "blank-line", "sentence"], "COND": ["repetition<4.5", 'note = "a \\ b"', "quality>=0.5"],
    "JSON": [r'{"a": "\n\\"}', '{"enable_thinking": false}'], "YYYY-MM-DD": ["2026-01-31"], "KEY,…": ["one_key", "another"],
    "KINDS": ["needle", "kv"], "LIST": ["64", "128"], "N": ["3", "17"], "K": ["3", "17"], "I/N": ["1/4"], "P": ["12.5"], "X": ["-0.5", "1e-05"],
    "NATS": ["0.25", "1e-05"], "TOKENS": ["12.5"], "T": ["0.75"], "S": ["0.125"], "SHARE": ["0.25"], "W": ["2.5"],
}

# Flags that take other values than most of their kind.
OF_FLAGS = {("select", "--by"): ["divergence", "repetition"], ("select", "--stratify-by"): ["entropy", "num_steps"],
            ("find-heads", "--depths"): ["0.25", "0.5"], ("select", "--train-above"): ["0.5"]}
ONE_OF = {"find-heads": ["--fraction", "--num-heads"], "select": ["--bottom", "--random"]}  # that exclude each other
WITHOUT_INPUTS = ["find-heads"]


def print_config(*arguments):
    """Without the variable that holds other tests to the CPU: it comes before a file."""
    environment = {name: value for name, value in clean_environment().items() if name != "AIR_DEVICE"}
    result = subprocess.run([air_binary(), *map(str, arguments), "--print-config"], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, (arguments, result.stderr)
    return result.stdout


def unescaped(text):
    return re.sub(r"\\(.)", r"\1", text.replace(r"'\''", "'"))


def flags_of(verb, script):
    """(long name, name of the value or None, choices, whether it repeats) of each flag, from the completions for zsh."""
    case = re.search(rf"^    {verb}\)\n      _arguments(.*?);;$", script, re.MULTILINE | re.DOTALL)[1]
    spec = re.compile(r"^ +'(\*?)(--?[\w-]+)\[(?:\\.|[^\]\\])*\](?::((?:\\.|[^:\\])*):(?:\((.*)\)|.*))?' \\$", re.MULTILINE)
    found = [(name, value and unescaped(value), (choices or "").split(), bool(repeats)) for repeats, name, value, choices in spec.findall(case)]
    assert len(found) == len(re.findall(r"^ +'\*?-", case, re.MULTILINE)), case
    return [flag for flag in found if flag[0].startswith("--") and flag[0] not in LEFT_OUT]


@pytest.fixture(scope="module")
def script():
    return succeed("--generate", "complete-zsh").decode()


def sample(verb, flag, variant):
    """Values for a flag, as many as it takes; none of a flag that takes no value."""
    name, value, choices, repeats = flag
    if not value:
        return None
    options = choices or OF_FLAGS.get((verb, name)) or VALUES.get(value)
    assert options, f"{name} {value}: give it a value in this test"
    return [options[(variant + i) % len(options)] for i in range(2 if repeats else 1)]


def text_of(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def same(given, kept):
    """Whether a value of the file is the text that was given: a number may be written otherwise."""
    try:
        return float(given) == float(kept)
    except ValueError:
        return given == text_of(kept)


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_comes_back(verb, script, tmp_path):
    flags = flags_of(verb, script)
    assert len(flags) > 10
    for variant in range(len(TEXTS)) if verb in ("select", "show", "report") else (2, 3, 9):
        given = {flag[0]: sample(verb, flag, variant) for flag in flags}
        choice = ONE_OF.get(verb, [])
        given = {name: values for name, values in given.items() if name not in choice or name == choice[variant % len(choice)]}
        inputs = [] if verb in WITHOUT_INPUTS else ["one.jsonl", r"two \n.jsonl"]
        arguments = list(inputs)
        for name, values in given.items():
            arguments += [name] if values is None else [f"{name}={value}" for value in values]
        printed = print_config(verb, *arguments)
        config = tmp_path / "air.toml"
        config.write_text(printed)
        assert print_config(verb, "--config", config).splitlines() == printed.splitlines(), arguments
        kept = tomllib.loads(printed)
        for name in choice:
            if name not in given:
                kept.pop(name[2:], None)  # its default
        for name, values in given.items():
            value = kept.pop(name[2:])
            if values is None:
                assert value is True, name
            else:
                found = value if isinstance(value, list) else [value]
                assert len(found) == len(values) and all(map(same, values, found)), (name, values, value)
        # What is left are the inputs.
        assert list(kept.values()) == ([inputs] if inputs else []), kept


@pytest.mark.parametrize("verb", VERBS)
def test_defaults_come_back(verb, tmp_path):
    config = tmp_path / "air.toml"
    config.write_text(print_config(verb))
    assert print_config(verb, "--config", config) == config.read_text()
