#!/usr/bin/env python3
"""Runs pytest for ctest. Exit code 77 (ctest: skipped), with the reason, when a package that the tests need is missing, or with
--gpu when air sees no GPU.

    run_pytest.py --needs transformers,tokenizers [--gpu] -- PYTEST ARGUMENTS
"""
import argparse
import importlib.util
import sys

SKIPPED = 77
NO_TESTS_RAN = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--needs", default="", help="packages beside pytest")
    parser.add_argument("--gpu", action="store_true", help="the tests need a GPU")
    parser.add_argument("arguments", nargs="*")
    given = parser.parse_args()
    needed = ["pytest", *filter(None, given.needs.split(","))]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        print(f"SKIPPED: {sys.executable} has no {', '.join(missing)}: run scripts/setup.sh --test")
        return SKIPPED
    import pytest
    from air_runner import sees_gpu     # which needs pytest
    if given.gpu and not sees_gpu():
        print("SKIPPED: no GPU")
        return SKIPPED

    class Counts:
        ran = 0

        def pytest_runtest_logreport(self, report):
            self.ran += report.when == "call" and not report.skipped

    counts = Counts()
    code = pytest.main([*given.arguments, "-rs"], plugins=[counts])
    if code == NO_TESTS_RAN or code == 0 and counts.ran == 0:
        print("SKIPPED: no test ran")
        return SKIPPED
    return code


if __name__ == "__main__":
    sys.exit(main())
