import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS.parent / "python")]

from air_runner import REPOSITORY, air_binary, clean_environment  # noqa: E402


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The planted model: small, with a tokenizer of bytes and a few words."""
    folder = tmp_path_factory.mktemp("models") / "planted"
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_planted_model.py", folder], check=True)
    return folder


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """As clean_environment(), with the program that is tested."""
    clean = clean_environment(AIR_BINARY=air_binary())
    for name in {*os.environ} - {*clean}:
        monkeypatch.delenv(name)
    for name, value in clean.items():
        monkeypatch.setenv(name, value)
