"""The build backend: scikit-build-core, and a source distribution that knows its commit.

A source distribution has no git history. cmake/exported_commit.txt, which `git archive` fills in,
holds the commit there too.
"""
import re
import subprocess
import tempfile
from pathlib import Path

from scikit_build_core.build import *  # noqa: F403
from scikit_build_core.build import build_sdist as scikit_build_sdist

ROOT = Path(__file__).resolve().parent.parent


def current_commit():
    """The commit as the build itself words it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "build_info.cpp"
        subprocess.run(
            ["cmake", "-D", f"SOURCE={ROOT}", "-D", f"OUTPUT={source}", "-P", ROOT / "cmake" / "WriteBuildInfo.cmake"],
            check=True,
        )
        return re.search(r'kCommit = "(.*)"', source.read_text(encoding="utf-8"))[1]


def build_sdist(sdist_directory, config_settings=None):
    exported = ROOT / "cmake" / "exported_commit.txt"
    before, commit = exported.read_bytes(), current_commit()
    exported.write_text(commit + "\n", encoding="utf-8")
    try:
        return scikit_build_sdist(sdist_directory, config_settings)
    finally:
        exported.write_bytes(before)
