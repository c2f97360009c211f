"""What help looks like: as wide as the terminal, the verb's own flags first, in words; and what is made from the same flags."""
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import termios

import pytest
from air_runner import air_binary, clean_environment, fail, run, succeed

USAGE = 2
VERBS = ["find-heads", "score", "select", "report", "show", "inspect", "export-reference"]
# Words of the command line's parser, which say nothing to a user.
NOISE = re.compile(r"INT in|NONNEGATIVE|POSITIVE|\[OPTIONS\]|:\{|=\[|Excludes:|TEXT:|REQUIRED|Needs:|SUBCOMMAND")


def on_terminal(columns, *arguments):
    """Stdout of a run whose stdout is a terminal of so many columns."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([air_binary(), *arguments], stdout=child, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                               env=clean_environment())
    os.close(child)
    text = b""
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:     # the other end is closed
            break
        if not piece:
            break
        text += piece
    os.close(parent)
    assert process.wait() == 0
    return text.decode().replace("\r\n", "\n")


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
