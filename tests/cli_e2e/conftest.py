import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from air_runner import REPOSITORY, demo_model, write_records  # noqa: E402,F401


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The planted model: small, with a tokenizer of bytes and a few words."""
    folder = tmp_path_factory.mktemp("models") / "planted"
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "make_planted_model.py", folder], check=True)
    return folder


@pytest.fixture
def traces(tmp_path):
    return write_records(tmp_path / "traces.jsonl", [
        {"id": "t1", "prompt": "What is 2 + 2?", "response": "Two and two.\n\nThat is 4."},
        {"id": "t2", "prompt": "What is 3 * 3?", "response": "Three threes.\n\nThat is 9.\n\nThe answer is 9."},
        {"id": "t3", "prompt": "Copy: abcdefgh ijkl.", "response": "Copy: abcdefgh ijkl."},
    ])


@pytest.fixture
def out(tmp_path):
    """A folder for outputs that holds nothing else."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder
