"""The command `air` of an environment: runs the program of this package on the environment's torch.

The program looks for torch in the package beside this one. Where torch lies elsewhere (another
folder of sys.path), it is told by LD_LIBRARY_PATH; of a pyarrow that lies elsewhere, by AIR_PYARROW.
Neither is imported.
"""
import os
import sys

EXIT_RESOURCE = 5  # as in the program: a library or device that is missing


def fail(what, hint):
    print(f"air: error: {what}\nhint: {hint}", file=sys.stderr)
    sys.exit(EXIT_RESOURCE)


def torch_folder(beside):
    """The folder of the torch that the environment's Python would import."""
    if os.path.exists(os.path.join(beside, "lib", "libtorch_cpu.so")):
        return beside
    from importlib.util import find_spec  # only here: it takes longer than all the rest

    spec = find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        fail(f"torch is not installed in the environment of {sys.executable}", f'pip install "torch=={built_with()}.*"')
    return spec.submodule_search_locations[0]


def pyarrow_folder(beside):
    """The folder of a pyarrow that the program would not find by itself; none: there is none, or it lies beside this package."""
    folders = [beside, *sys.path]
    found = [folder for folder in folders if os.path.exists(os.path.join(folder, "pyarrow", "__init__.py"))]
    return os.path.join(found[0], "pyarrow") if found and found[0] != beside else None


def built_with():
    """Minor version of the torch that the program is linked with: "2.13"."""
    with open(os.path.join(os.path.dirname(__file__), "torch_version.txt"), encoding="ascii") as file:
        return file.read().strip()


def minor_version(torch):
    """Minor version of the torch in a folder: "2.13"."""
    with open(os.path.join(torch, "version.py"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("__version__ = "):
                return ".".join(line.split("'")[1].split(".")[:2])
    fail(f"{torch}/version.py names no version", "install torch anew")


def main():
    package = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(package, "bin", "air")
    beside = os.path.join(os.path.dirname(package), "torch")
    torch = torch_folder(beside)
    if minor_version(torch) != built_with():
        fail(
            f"{torch} is torch {minor_version(torch)}, and this air was built against {built_with()}",
            f'pip install "torch=={built_with()}.*", or an air_select built against torch {minor_version(torch)}',
        )
    if torch != beside:
        paths = [os.path.join(torch, "lib"), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(paths)
    if "AIR_PYARROW" not in os.environ and (pyarrow := pyarrow_folder(os.path.dirname(package))):
        os.environ["AIR_PYARROW"] = pyarrow
    os.execv(program, ["air", *sys.argv[1:]])
