"""The entry point of the wheel: which torch the program runs on, and what is said without one."""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "python" / "air_select"


def make_torch(site, version="2.13.0+cpu"):
    (site / "torch" / "lib").mkdir(parents=True)
    (site / "torch" / "lib" / "libtorch_cpu.so").touch()
    (site / "torch" / "__init__.py").write_text("raise ImportError('torch must not be imported')")
    (site / "torch" / "version.py").write_text(f"debug = False\n__version__ = '{version}'\n")


@pytest.fixture
def site(tmp_path):
    """An environment's site-packages with an air_select whose program prints what it is given."""
    site = tmp_path / "site"
    shutil.copytree(PACKAGE, site / "air_select")
    (site / "air_select" / "torch_version.txt").write_text("2.13\n")
    program = site / "air_select" / "bin" / "air"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH|$*${AIR_PYARROW:+|}$AIR_PYARROW"\nexit 3\n')
    program.chmod(0o755)
    return site


def air(*folders, arguments=("score", "a b"), environment=None):
    path = f"import sys; sys.path[:0] = {[str(folder) for folder in folders]}; sys.argv[1:] = {list(arguments)}; "
    command = [sys.executable, "-I", "-S", "-c", path + "import air_select; air_select.main()"]
    return subprocess.run(command, capture_output=True, text=True, env=environment or {})


def test_the_program_finds_the_torch_beside_it_by_itself(site):
    make_torch(site)
    done = air(site)
    assert (done.returncode, done.stdout) == (3, "|score a b\n"), done.stderr


def test_a_torch_elsewhere_goes_before_other_libraries(site, tmp_path):
    make_torch(tmp_path / "user")
    done = air(site, tmp_path / "user", environment={"LD_LIBRARY_PATH": "/other"})
    assert done.stdout == f"{tmp_path}/user/torch/lib:/other|score a b\n"


def test_a_pyarrow_elsewhere_is_named_and_one_beside_is_found_by_the_program(site, tmp_path):
    make_torch(site)
    elsewhere = tmp_path / "user" / "pyarrow"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("raise ImportError('pyarrow must not be imported')")
    assert air(site, elsewhere.parent).stdout == f"|score a b|{elsewhere}\n"
    assert air(site, elsewhere.parent, environment={"AIR_PYARROW": "/other"}).stdout == "|score a b|/other\n"
    shutil.copytree(elsewhere, site / "pyarrow")
    assert air(site, elsewhere.parent).stdout == "|score a b\n"


def test_no_torch_is_an_error_that_says_how_to_get_it(site):
    done = air(site)
    assert done.returncode == 5
    assert done.stderr.startswith("air: error: torch is not installed") and 'pip install "torch==2.13.*"' in done.stderr


@pytest.mark.parametrize("version", ["2.12.1", "2.130.0", "3.13.0"])
def test_another_minor_version_is_an_error_that_names_both(site, version):
    make_torch(site, version)
    done = air(site)
    assert done.returncode == 5
    assert f"is torch {'.'.join(version.split('.')[:2])}, and this air was built against 2.13" in done.stderr
