"""Progress on a terminal and in a log file, and what an interrupt says."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest
from air_runner import air_binary, clean_environment, run, write_records


@pytest.fixture
def many(tmp_path):
    """Enough work for several seconds of the planted model."""
    text = " ".join(f"Step {i}: add {i} to the sum." for i in range(60))
    return write_records(tmp_path / "many.jsonl", [{"prompt": f"Sum {n}?", "response": f"{text}\n\nThat is {n}."}
                                                   for n in range(120)])


def on_terminal(columns, arguments, seen=lambda text, process: None):
    """Stderr of a run whose stderr is a terminal of so many columns, and its exit code."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([air_binary(), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=child,
                               stdin=subprocess.DEVNULL, env=clean_environment(NO_COLOR="1"))
    os.close(child)
    text = ""
    while True:
        try:
            piece = os.read(parent, 65536).decode()
        except OSError:     # the other end is closed
            break
        if not piece:
            break
        text += piece
        seen(text, process)
    os.close(parent)
    return text.replace("\r\n", "\n"), process.wait()


def updates(text):
    return re.findall(r"\r\x1b\[K(scoring[^\r\n]*)", text)


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_progress_fits_the_terminal_and_comes_at_once(columns, model, many, tmp_path):
    start = time.monotonic()
    first = []
    text, code = on_terminal(columns, ["score", "--model", model, "--heads", "1-5", "--max-batch-tokens", 2000, many,
                                       "-o", tmp_path / "scored.jsonl"],
                             lambda text, process: first or "scoring" in text and first.append(time.monotonic() - start))
    lines = updates(text)
    assert code == 0 and lines and max(map(len, lines)) < columns
    assert first[0] < 5     # before the model is loaded
    if len(lines) > 3:
        assert re.search(r"\d+ %", lines[-1]) and "ETA" in lines[-1]
    # Messages stand on lines of their own, and the last update is wiped.
    assert all(line.rsplit("\x1b[K", 1)[-1].startswith("air: ") for line in text.split("\n")[:-1])
    assert "scoring" not in text.rsplit("\r\x1b[K", 1)[1]


def test_no_progress_where_it_is_not_wanted(model, traces, tmp_path):
    flags = ["score", "--model", model, "--heads", "1-5", traces, "-o", tmp_path / "scored.jsonl"]
    assert updates(on_terminal(80, [*flags, "--progress", "never"])[0]) == []
    assert b"scoring" not in run(*flags).stderr     # a log: a line every ten seconds


def test_the_first_interrupt_says_what_it_does(model, many, tmp_path):
    sent = []

    def interrupt(text, process):
        if "%" in text and not sent:
            sent.append(process.send_signal(signal.SIGINT))

    text, code = on_terminal(80, ["score", "--model", model, "--heads", "1-5", "--max-batch-tokens", 1, many,
                                  "-o", tmp_path / "scored.jsonl"], interrupt)
    if not sent:
        pytest.skip("the run ended before its first second")
    assert code == 130 and text.count("air: stopping after the work in hand; again: at once") == 1
    assert "--resume" in text and (tmp_path / "scored.jsonl.partial").exists()
