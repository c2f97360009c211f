#!/usr/bin/env python3
"""Holds #include lines against the module dependencies in CMakeLists.txt.

Refused: an include of another module's header that the module's DEPS do not reach, an include of a project header that
is not written as "MODULE/x.h", a cycle of modules, a folder under src/ that no air_module() line names. Prints each as FILE:LINE: WHAT; exit code 1 if there is any.
"""
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def read_dependencies(text):
    """Module: the modules its air_module(NAME DEPS …) line names."""
    lines = re.findall(r"^\s*air_module\((\w+) DEPS ([^)]*)\)", text, re.MULTILINE)
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
    """(line number, module or None, the quoted path) of each #include "…" line; None: the path names no folder."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if match := re.match(r'\s*#\s*include\s*"((?:(\w+)/)?[^"]*)"', line):
            yield number, match[2], match[1]


def violations(repository, dependencies):
    allowed = {module: reachable(module, dependencies) for module in dependencies}
    for folder in sorted(path for path in (repository / "src").iterdir() if path.is_dir()):
        files = sorted(path for path in folder.rglob("*") if path.suffix in (".h", ".cpp"))
        if files and folder.name not in dependencies:
            yield f"{folder.relative_to(repository)}: no air_module({folder.name} …) in CMakeLists.txt"
            continue
        for path in files:
            for number, module, header in includes(path):
                where = f"{path.relative_to(repository)}:{number}"
                if module not in dependencies:
                    yield f'{where}: "{header}" must be written as "MODULE/{header}"'
                elif module not in allowed[folder.name]:
                    yield f"{where}: {folder.name} must not include {module}"


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
