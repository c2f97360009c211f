"""The command `air` from the environment that it is installed in, and its verbs as functions.

    import air_select

    heads = air_select.find_heads("HuggingFaceTB/SmolLM2-135M-Instruct", "heads.json")
    scored = air_select.score("traces.jsonl", "HuggingFaceTB/SmolLM2-135M-Instruct", heads)
    best = air_select.select(scored, top_k=100)

docs/python.md describes the functions: find_heads, score, export_reference, select, report and load.

The program looks for torch in the package beside this one. Where torch lies elsewhere (another
folder of sys.path), it is told by LD_LIBRARY_PATH; of a pyarrow that lies elsewhere, by AIR_PYARROW.
Neither is imported. `air` starts by way of this file: whatever takes time to import is in others,
which are imported when a function is first used.
"""
import os
import sys

TYPE_CHECKING = False  # as of typing, which would have to be imported
if TYPE_CHECKING:
    from .errors import AirError, InputError, ModelError, ResourceError, UsageError
    from .verbs import export_reference, find_heads, load, report, score, select

EXIT_RESOURCE = 5  # as in the program: a library or device that is missing
_MODULES = {
    **dict.fromkeys(("find_heads", "score", "export_reference", "select", "report", "load"), "verbs"),
    **dict.fromkeys(("AirError", "UsageError", "InputError", "ModelError", "ResourceError"), "errors"),
}
__all__ = list(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_MODULES[name]}", __name__), name)
    return value


def __dir__():
    return sorted({*globals(), *_MODULES})


class NotReady(Exception):
    """The program cannot start in this environment: what is wrong, and what helps."""

    def __init__(self, what, hint):
        super().__init__(what)
        self.hint = hint


def torch_folder(beside):
    """The folder of the torch that the environment's Python would import."""
    if os.path.exists(os.path.join(beside, "lib", "libtorch_cpu.so")):
        return beside
    from importlib.util import find_spec  # only here: it takes longer than all the rest

    spec = find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise NotReady(f"torch is not installed in the environment of {sys.executable}", f'pip install "torch=={built_with()}.*"')
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
    raise NotReady(f"{torch}/version.py names no version", "install torch anew")


def find_program():
    """The path of this package's program, and the environment variables that it needs here. Raises NotReady."""
    package = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(package, "bin", "air")
    if not os.path.exists(program):
        raise NotReady(f"{package} has no program bin/air", "install the wheel; from Python, AIR_BINARY may name a program")
    beside = os.path.join(os.path.dirname(package), "torch")
    torch = torch_folder(beside)
    if minor_version(torch) != built_with():
        raise NotReady(
            f"{torch} is torch {minor_version(torch)}, and this air was built against {built_with()}",
            f'pip install "torch=={built_with()}.*", or an air_select built against torch {minor_version(torch)}',
        )
    variables = {}
    if torch != beside:
        paths = [os.path.join(torch, "lib"), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        variables["LD_LIBRARY_PATH"] = os.pathsep.join(paths)
    if "AIR_PYARROW" not in os.environ and (pyarrow := pyarrow_folder(os.path.dirname(package))):
        variables["AIR_PYARROW"] = pyarrow
    return program, variables


def main():
    try:
        program, variables = find_program()
    except NotReady as error:
        print(f"air: error: {error}\nhint: {error.hint}", file=sys.stderr)
        sys.exit(EXIT_RESOURCE)
    os.environ.update(variables)
    os.execv(program, ["air", *sys.argv[1:]])
