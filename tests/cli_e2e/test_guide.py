"""docs/GUIDE.md: every command of it is run, and prints what the page says."""
import os
import re
import subprocess
from pathlib import Path

import pytest
from air_runner import REPOSITORY, air_binary, clean_environment


def commands(page):
    """(command, expected output) of each `$ ` line in the console blocks of a Markdown page."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, continued = "", True
            while continued:
                line, _, entry = entry.partition("\n")
                command += line + "\n"
                continued = line.endswith("\\")
            yield command, entry


def as_pattern(expected):
    """`…` stands for anything within a line; on a line of its own for any number of lines."""
    pattern = ""
    for line in expected.splitlines():
        pattern += "(?:.*\n)*" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n"
    return re.compile(pattern)


@pytest.fixture
def folder(tmp_path, demo_model):
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    (tmp_path / "model").symlink_to(demo_model)
    return tmp_path


@pytest.mark.parametrize("name", ["docs/GUIDE.md"])
def test_the_commands_print_what_the_page_says(name, folder):
    entries = list(commands(REPOSITORY / name))
    assert entries, f"no console block in {name}"
    path = f"{Path(air_binary()).parent}{os.pathsep}{os.environ['PATH']}"
    for command, expected in entries:
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=folder, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, env=clean_environment(PATH=path), timeout=600)
        assert result.returncode == 0, f"{command}\n{result.stderr}"
        assert as_pattern(expected).fullmatch(result.stdout), f"{command}\n{result.stdout}\ninstead of\n{expected}"


def test_a_page_that_lies_is_found():
    assert as_pattern("a … c\n…\nend\n").fullmatch("a b c\nmore\nand more\nend\n")
    assert not as_pattern("a … c\n").fullmatch("a b d\n")
    assert not as_pattern("").fullmatch("output\n")
