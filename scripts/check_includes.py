#!/usr/bin/env python3
"""Holds #include lines against the module dependencies in CMakeLists.txt.

Refused: an include of another module's header that the module's DEPS do not reach, a cycle of modules, a folder under
src/ or include/air/ that no air_module() line names. Prints each as FILE:LINE: WHAT; exit code 1 if there is any.
"""
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def read_dependencies(text):
    """Module: the modules its air_module(NAME DEPS …) line names."""
    lines = re.findall(r"^air_module\((\w+) DEPS ([^)]*)\)", text, re.MULTILINE)
    return {name: re.findall(r"air::(\w+)", dependencies) for name, dependencies in lines}


def reachable(module, dependencies, path=()):
    """All modules that a module may include, itself among them. Raises ValueError on a cycle."""
    if module in path:
        raise ValueError("cycle of modules: " + " -> ".join([*path[path.index(module):], module]))
    found = {module}
    for other in dependencies[module]:
        found |= reachable(other, dependencies, (*path, module))
    return found


def includes(path):
    """(line number, module) of each #include "air/MODULE/…" line."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := re.match(r'\s*#\s*include\s*[<"]air/(\w+)/', line):
            yield number, match[1]


def violations(repository, dependencies):
    allowed = {module: reachable(module, dependencies) for module in dependencies}
    for parent in (repository / "include" / "air", repository / "src"):
        for folder in sorted(path for path in parent.iterdir() if path.is_dir()):
            files = sorted(path for path in folder.rglob("*") if path.suffix in (".h", ".cpp"))
            if files and folder.name not in dependencies:
                yield f"{folder.relative_to(repository)}: no air_module({folder.name} …) in CMakeLists.txt"
                continue
            for path in files:
                for number, module in includes(path):
                    if module not in allowed[folder.name]:
                        yield f"{path.relative_to(repository)}:{number}: {folder.name} must not include {module}"


def main():
    dependencies = read_dependencies((REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8"))
    try:
        found = list(violations(REPOSITORY, dependencies))
    except ValueError as cycle:
        found = [f"CMakeLists.txt: {cycle}"]
    print("\n".join(found) if found else f"includes of {len(dependencies)} modules: fine")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
