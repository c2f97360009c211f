"""Runs the built binary as a user does. Shared by the Python tests; conftest.py files take their fixtures from here."""
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
GSM8K = REPOSITORY / "examples" / "gsm8k_50.jsonl"
sys.path.insert(0, str(REPOSITORY / "scripts"))
import air_cli  # noqa: E402
from air_cli import air_binary, model_folder  # noqa: E402


def demo_model_folder():
    return Path(os.environ.get("AIR_DEMO_MODEL") or model_folder("smollm2-135m-instruct"))


def published_model(name):
    """The folder of a published model. A test whose model is not there skips itself."""
    folder = model_folder(name)
    if not folder.is_dir():
        pytest.skip(f"no {name} at {folder}: run scripts/make_published_model.py {name}")
    return folder


def clean_environment(**more):
    """Of air_cli, and on the CPU: what tests expect is of float32, whether there is a GPU or not. test_gpu.py asks for one."""
    return air_cli.clean_environment(**({"AIR_DEVICE": "cpu"} | more))


def run(*arguments, stdin=None, env=None, cwd=None):
    """Exit code, stdout and stderr of `air ARGUMENTS`; stdout as bytes."""
    return subprocess.run([air_binary(), *map(str, arguments)], input=stdin if stdin is not None else b"",
                          capture_output=True, env=clean_environment(**(env or {})), cwd=cwd, timeout=900)


def on_terminal(columns, *arguments):
    """Stdout of a run whose stdout is a terminal of so many columns."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([air_binary(), *map(str, arguments)], stdout=child, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
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


def sees_gpu():
    """Whether this air can use a GPU here."""
    return b"cuda:0" in run("--version", "-v").stdout


def succeed(*arguments, **options):
    """Stdout of a run that must end well."""
    result = run(*arguments, **options)
    assert result.returncode == 0, f"air {' '.join(map(str, arguments))}\n{result.stderr.decode()}"
    return result.stdout


def fail(exit_code, *arguments, **options):
    """Stderr of a run that must end with this exit code, say so in one `air: error:`, and print no data."""
    result = run(*arguments, **options)
    message = result.stderr.decode()
    assert result.returncode == exit_code, f"exit code {result.returncode}, not {exit_code}\n{message}"
    assert message.count("air: error: ") == 1, message
    assert "terminate called" not in message and "c10::" not in message, message
    return message


def records(output):
    """JSON Lines -> objects."""
    return [json.loads(line) for line in output.splitlines()]


def write_records(path, items):
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def demo_model():
    folder = demo_model_folder()
    if not folder.is_dir():
        pytest.skip(f"no demo model at {folder}: run scripts/make_demo_model.py")
    return folder
