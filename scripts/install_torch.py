#!/usr/bin/env python3
"""Installs the torch of requirements.txt into the environment of the Python that runs this, and says its size first.

    .venv/bin/python scripts/install_torch.py              for building and running air
    .venv/bin/python scripts/install_torch.py --importable for Python programs that import torch, too (the tests)

PyPI's build for Linux brings CUDA libraries of several GB. air itself loads two small ones of them on the CPU, so on a
machine without a GPU the others are left out. Python's `import torch` loads them all, GPU or not.
AIR_TORCH_INDEX=URL looks for torch in another package index too, such as PyTorch's own index of CPU builds.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlparse

from pip._vendor.packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
# What libtorch_cpu.so of a CUDA build needs to be loaded.
NEEDED_ON_CPU = {"cudart", "cupti", "cuda-runtime", "cuda-cupti"}


def say(text):
    print(f"setup: {text}", file=sys.stderr, flush=True)


def pip(*arguments, **options):
    index = os.environ.get("AIR_TORCH_INDEX")
    index = ["--extra-index-url", index] if index else []
    return subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, *index],
                          check=True, **options)


def resolve(*arguments):
    """What pip would install, without installing it."""
    report = pip("install", "--dry-run", "--quiet", "--report", "-", *arguments, stdout=subprocess.PIPE).stdout
    return json.loads(report)["install"]


def size(package):
    """Bytes of the file that pip would download; None when its server does not say."""
    url = package["download_info"]["url"]
    try:
        if url.startswith("file:"):
            return Path(unquote(urlparse(url).path)).stat().st_size
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, TypeError, ValueError):
        return None


def total(packages):
    sizes = [size(package) for package in packages]
    if None in sizes:
        return "of unknown size"
    return f"{sum(sizes) / 1e6:,.0f} MB"


def has_gpu():
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def needed_on_cpu(torch):
    """Of what a CUDA build of torch requires: the libraries that its CPU half is linked with, as requirements."""
    found = []
    for line in torch["metadata"].get("requires_dist", []):
        wanted = Requirement(line)
        if wanted.name == "cuda-toolkit":
            found.append(f"cuda-toolkit[{','.join(sorted(NEEDED_ON_CPU & wanted.extras))}]{wanted.specifier}")
        elif (match := re.match(r"nvidia-([a-z-]+?)(-cu\d+)?$", wanted.name)) and match[1] in NEEDED_ON_CPU:
            found.append(f"{wanted.name}{wanted.specifier}")
    return found


def loads():
    """Whether the dynamic linker finds all that libtorch_cpu.so needs."""
    library = Path(sysconfig.get_path("purelib"), "torch", "lib", "libtorch_cpu.so")
    listed = subprocess.run(["ldd", library], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return listed.returncode == 0 and "not found" not in listed.stdout


def install_for_cpu(torch):
    libraries = needed_on_cpu(torch)
    say(f"torch {torch['metadata']['version']}: a CUDA build, {total([torch])}. There is no GPU here, so its CUDA libraries "
        "are left out but for two small ones. A CPU build is smaller still: AIR_TORCH_INDEX=URL names an index that has it.")
    pip("install", "--quiet", "--no-deps", "-r", REQUIREMENTS)
    if libraries:
        pip("install", "--quiet", "--no-warn-conflicts", *libraries)
    if loads():
        return
    say("it does not load without the others: installing them")
    pip("install", "--quiet", "-r", REQUIREMENTS)


def install_all(torch, is_cuda, importable):
    packages = resolve("-r", REQUIREMENTS)
    kind = "a CUDA build" if is_cuda else "a CPU build"
    why = ""
    if is_cuda and not has_gpu() and importable:
        why = (". There is no GPU here, but Python's torch loads all of its CUDA libraries. "
               "AIR_TORCH_INDEX=URL names an index that has a CPU build")
    say(f"torch {torch['metadata']['version']}: {kind}, {total(packages)} with what it requires{why}")
    pip("install", "--quiet", "-r", REQUIREMENTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--importable", action="store_true", help="install all that Python's torch loads")
    importable = parser.parse_args().importable
    torch, = resolve("--ignore-installed", "--no-deps", "-r", REQUIREMENTS)
    is_cuda = any(line.startswith(("nvidia", "cuda")) for line in torch["metadata"].get("requires_dist", []))
    if is_cuda and not importable and not has_gpu():
        install_for_cpu(torch)
    else:
        install_all(torch, is_cuda, importable)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"setup: error: pip failed (its message is above): {' '.join(map(str, error.cmd[2:]))}")
