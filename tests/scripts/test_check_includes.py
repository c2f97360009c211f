"""scripts/check_includes.py refuses what it is there to refuse."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

from check_includes import reachable, read_dependencies, violations  # noqa: E402


@pytest.fixture
def repository(tmp_path):
    for folder in ("src/base", "src/text"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/text/a.cpp").write_text('#include <string>\n#include "base/error.h"\n#include "text/a.h"\n')
    return tmp_path


DEPENDENCIES = {"base": [], "text": ["base"]}


def test_reads_the_modules_of_cmake():
    text = "# air_module(x DEPS air::y)\nair_module(base DEPS spdlog::spdlog)\nair_module(text DEPS air::base ICU::uc)\n"
    assert read_dependencies(text) == DEPENDENCIES


def test_an_include_of_a_dependency_is_fine(repository):
    assert list(violations(repository, DEPENDENCIES)) == []


def test_an_include_against_the_direction_is_refused(repository):
    (repository / "src/base/b.h").write_text('#pragma once\n#include "text/a.h"\n')
    assert list(violations(repository, DEPENDENCIES)) == ["src/base/b.h:2: base must not include text"]


def test_an_include_that_names_no_module_is_refused(repository):
    (repository / "src/text/c.h").write_text('#include "a.h"\n')
    assert list(violations(repository, DEPENDENCIES)) == ['src/text/c.h:1: "a.h" must be written as "MODULE/a.h"']


def test_a_folder_without_a_module_is_refused(repository):
    (repository / "src/extra").mkdir()
    (repository / "src/extra/e.cpp").write_text("")
    assert list(violations(repository, DEPENDENCIES)) == ["src/extra: no air_module(extra …) in CMakeLists.txt"]


def test_a_cycle_is_refused():
    with pytest.raises(ValueError, match="a -> b -> a"):
        reachable("a", {"a": ["b"], "b": ["a"]})
