"""What help looks like: as wide as the terminal, the verb's own flags first, in words; and what is made from the same flags."""
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time

import pytest
from air_runner import air_binary, clean_environment, fail, on_terminal, run, succeed

USAGE = 2
VERBS = ["find-heads", "score", "select", "report", "show", "inspect", "export-reference"]
# Words of the command line's parser, which say nothing to a user.
NOISE = re.compile(r"INT in|NONNEGATIVE|POSITIVE|\[OPTIONS\]|:\{|=\[|Excludes:|TEXT:|REQUIRED|Needs:|SUBCOMMAND")


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_the_terminal(verb, columns):
    text = on_terminal(columns, verb, "--help")
    widest = max(map(len, text.splitlines()))
    # Examples are commands, which are not broken.
    prose = max(len(line) for line in text.split("\n\n", 1)[1].splitlines())
    assert prose <= min(columns, 100) and (columns == 60 or widest <= columns)
    assert widest > columns * 0.6
    assert not NOISE.search(text), NOISE.search(text)


@pytest.mark.parametrize("verb", VERBS)
def test_the_verbs_own_flags_come_first(verb):
    text = succeed(verb, "--help").decode()
    groups = re.findall(r"^(\S.*):$", text, re.MULTILINE)
    assert groups[:2] == ["Example", "Flags"] and groups[-1] == "General"
    assert text.index("--output") < text.index("--quiet")
    assert "(default: " in text or verb == "inspect"


@pytest.mark.parametrize("verb", VERBS)
def test_dash_h_is_short_and_says_where_the_rest_is(verb):
    short, whole = succeed(verb, "-h").decode(), succeed(verb, "--help").decode()
    assert len(short.splitlines()) < 40 and "--output" in short and "--progress" not in short
    count = int(re.search(rf"air {verb} --help explains all (\d+) flags\.", short)[1])
    assert len(re.findall(r"^  -", whole, re.MULTILINE)) == count


def test_help_of_a_verb_by_either_order():
    assert succeed("help", "score") == succeed("score", "--help")
    assert succeed("help") == succeed("--help")
    assert "did you mean score?" in fail(USAGE, "help", "scrore")


def test_ranges_are_said_in_words():
    assert "from 0 to 4096" in fail(USAGE, "score", "--threads", "-3")
    assert "1e-9 or more" in fail(USAGE, "score", "--loss-floor", "0")
    assert "0 or more" in fail(USAGE, "score", "--max-steps", "-1")
    assert "1 or more" in fail(USAGE, "score", "--min-step-tokens", "0")


def generated(what):
    return succeed("--generate", what).decode()


def complete(*words):
    """What bash offers for the last word."""
    script = generated("complete-bash") + f"""
compopt() {{ :; }}     # outside of a completion it is an error
COMP_WORDS=({' '.join(words)} {'""' if words[-1] == '""' else ''})
COMP_CWORD={len(words) - 1}
_air
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return result.stdout.split()


def test_bash_completes_verbs_flags_and_values():
    assert complete("air", "s") == ["score", "select", "show"]
    assert complete("air", "help", "in") == ["inspect"]
    assert "--heads" in complete("air", "score", "--he") and complete("air", "select", "--heads") == []
    assert complete("air", "score", "--mask", "u") == ["uniform"]
    assert complete("air", "score", "--color", '""') == ["auto", "always", "never"]


def test_every_flag_is_in_every_generated_text():
    texts = {what: generated(what) for what in ("man", "complete-bash", "complete-zsh", "complete-fish")}
    for verb in VERBS:
        for flag in re.findall(r"^  (?:-\w, )?--([\w-]+)", succeed(verb, "--help").decode(), re.MULTILINE):
            assert "\\-\\-" + flag.replace("-", "\\-") in texts["man"], flag
            assert f"--{flag}" in texts["complete-bash"] and f"--{flag}[" in texts["complete-zsh"], flag
            assert f" -l {flag}" in texts["complete-fish"], flag


@pytest.mark.parametrize("shell,what", [("bash", "complete-bash"), ("zsh", "complete-zsh"), ("fish", "complete-fish")])
def test_the_shell_parses_its_completion(shell, what, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    (tmp_path / "script").write_text(generated(what))
    subprocess.run([shell, "-n", tmp_path / "script"], check=True)


def test_fish_completes_verbs_flags_and_values(tmp_path):
    if not shutil.which("fish"):
        pytest.skip("no fish here")
    (tmp_path / "air.fish").write_text(generated("complete-fish"))

    def offered(line):
        script = f"source {tmp_path}/air.fish; complete -C '{line}'"
        text = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True).stdout
        return {entry.split("\t")[0] for entry in text.splitlines()}
    assert offered("air ") >= {*VERBS, "help"} and offered("air help in") == {"inspect"}
    assert offered("air score --mas") == {"--mask"} and offered("air score --mask ") == {"uniform", "zero"}
    assert offered("air --ver") == {"--version", "--verbose"} and "man" in offered("air --generate ")
    assert "--top-k" in offered("air select --top") and "--top-k" not in offered("air score --top")


def test_zsh_completes_verbs_flags_and_values(tmp_path):
    """An interactive shell on a terminal: a word is begun, the tabulator key completes it, and `air`, here a function, prints its arguments."""
    if not shutil.which("zsh"):
        pytest.skip("no zsh here")
    (tmp_path / "_air").write_text(generated("complete-zsh"))
    setup = (f"PS1=; unsetopt prompt_cr zle_bracketed_paste; fpath=({tmp_path} $fpath); autoload -U compinit; compinit -u -D; "
             "bindkey '^I' expand-or-complete; air() { print -r -- 'got:' $* ':end' }\n")
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    process = subprocess.Popen(["zsh", "-f", "-i"], stdin=child, stdout=child, stderr=child, start_new_session=True,
                               env=os.environ | {"TERM": "dumb", "HOME": str(tmp_path)})
    os.close(child)

    def until(pattern):
        text = ""
        while not (found := re.search(pattern, text)):
            ready, _, _ = select.select([parent], [], [], 60)
            assert ready, text
            text += os.read(parent, 65536).decode(errors="replace")
        return found
    os.write(parent, (setup + "print rea''dy\n").encode())
    until("\nready")
    try:
        for begun, expected in [("air sc", "score"), ("air help insp", "help inspect"), ("air score --loss-f", "score --loss-floor"),
                                ("air score --mask u", "score --mask uniform"), ("air --generate m", "--generate man"),
                                ("air --vers", "--version"), ("air select --min-sc", "select --min-score")]:
            os.write(parent, f"{begun}\t".encode())
            time.sleep(0.3)  # what was typed ahead would be pasted, not completed
            os.write(parent, b"\n")
            assert until(r"\ngot: (.*?) ?:end")[1].strip() == expected
    finally:
        process.kill()
        process.wait()
        os.close(parent)


def test_the_manual_page_is_one(tmp_path):
    if not shutil.which("man"):
        pytest.skip("no man here")
    (tmp_path / "air.1").write_text(generated("man"))
    page = subprocess.run(["man", "--warnings", "-l", tmp_path / "air.1"], capture_output=True, text=True, check=True,
                          env=os.environ | {"MANPAGER": "cat", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
    assert page.stderr == "" and "AIR SCORE" in page.stdout and "--weight-top-share" in page.stdout


def test_a_generator_that_does_not_exist():
    assert "complete-bash" in fail(USAGE, "--generate", "complete-tcsh")
    assert run("--generate").returncode == USAGE
