"""docs/reliability.md names the test of each promise: they exist."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*/*_test.cpp"))
    registered = (ROOT / "tests" / "CMakeLists.txt").read_text(encoding="utf-8")
    groups = set(re.findall(r"\b[A-Z]\w*Test\b", PAGE))
    ctest_names = set(re.findall(r"`((?:cli|golden)\.\w+)`", PAGE))
    assert len(groups) > 10 and len(ctest_names) > 5
    assert [name for name in sorted(groups) if not re.search(rf"TEST(_F|_P)?\({name},", sources)] == []
    assert [name for name in sorted(ctest_names) if f"air_pytest({name} " not in registered] == []
