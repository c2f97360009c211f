"""Lines of JSON, and files that appear whole or not at all."""
import hashlib
import json
import os
from pathlib import Path


def read_lines(path):
    """The file's lines that are not blank, without their ends."""
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file if line.strip()]


def read_records(path):
    return [json.loads(line) for line in read_lines(path)]


def write_whole(path, text):
    """By a temporary file in the same folder, so that an interruption leaves the old file, or none."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_lines(path, lines):
    write_whole(path, "".join(line + "\n" for line in lines))


def write_json(path, value):
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
