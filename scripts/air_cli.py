"""How the project's scripts and tests run the built binary, and where they keep models. Imported, not run."""
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def air_binary():
    """AIR_BINARY, else the release build's: the default of every --air."""
    return os.environ.get("AIR_BINARY", str(ROOT / "build" / "release" / "air"))


def model_folder(name):
    """Where scripts/make_demo_model.py and scripts/make_published_model.py put a model, and tests look for it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "air" / name


def clean_environment(**more):
    """Without the AIR_* variables of whoever runs this, which are flags to air, and without the Slurm
    array job it may run in, which would make it score a shard."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIR_", "SLURM_ARRAY_"))}
    return kept | more


def split_arguments():
    """The script's own arguments, and those after `--`, which go to air."""
    arguments = sys.argv[1:]
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1:]
