"""The verbs of air as functions. Flags are those of the command line, by name."""
import datetime
import decimal
import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Mapping

from .errors import EXIT_INPUT, EXIT_RESOURCE, make_error
from .process import run

# Flags that may be given several times; of all others a list is one value, joined by commas.
_REPEATED = {"where"}
# Flags that make score and select write a text in place of lines of JSON.
_TEXT_FLAGS = {"plan", "dry_run", "columns", "print_config", "help"}


def find_heads(model, output, **flags):
    """Ranks the attention heads that retrieve: `air find-heads --model MODEL -o OUTPUT`.

    model: the model's folder, or its name on the Hub.   output: the heads file to write.
    flags: as of `air find-heads --help`: num_probes=24, lengths=[256, 512], verify=True.
    Returns the path of the heads file, as score() and report() take it.
    Raises UsageError, ModelError, ResourceError (AirError); KeyboardInterrupt.
    """
    return _run("find-heads", None, output, {"model": model, **flags})


def score(inputs, model, heads, output=None, **flags):
    """Influence of every step and every trace: `air score --model MODEL --heads HEADS INPUTS`.

    inputs: a path, a list of paths, or records: a datasets.Dataset or any iterable of dicts. resume,
        plan and several devices need paths.
    model: the model's folder, or its name on the Hub.
    heads: a heads file, a list of heads such as ["12-7", "18-0"], or "none".
    output: the file to write, which is returned. Without one the scored records are returned: a
        list of dicts, each with a key "air" (docs/data-format.md), the best first.
    flags: as of `air score --help`: max_length=8192, device="cuda", on_error="skip".
    Raises UsageError, InputError, ModelError, ResourceError (AirError); TypeError for inputs that
    are neither paths nor records; KeyboardInterrupt.
    """
    return _run("score", inputs, output, {"model": model, "heads": heads, **flags})


def export_reference(model, heads, output, **flags):
    """The weakened model as an ordinary folder: `air export-reference --model MODEL --heads HEADS -o OUTPUT`.

    model: the model's folder, or its name on the Hub.
    heads: as of score().
    output: the folder to make; it must not exist, or be empty.
    flags: as of `air export-reference --help`: mask="zero", force=True.
    Returns the path of the folder, which transformers' from_pretrained() takes.
    Raises UsageError, ModelError, ResourceError (AirError); KeyboardInterrupt.
    """
    return _run("export-reference", None, output, {"model": model, "heads": heads, **flags})


def select(scored, output=None, **flags):
    """Cuts a training set out of scored traces: `air select SCORED`.

    scored: what score() returned, or as its inputs.
    output: as of score().
    flags: as of `air select --help`: top_k=1000, where=["repetition<4.5"], format="trl".
        With dry_run or columns the text that the program writes is returned.
    Raises UsageError, InputError, ResourceError (AirError); TypeError; KeyboardInterrupt.
    """
    return _run("select", scored, output, flags)


def report(scored, output=None, **flags):
    """One self-contained page to look at: `air report SCORED`.

    scored: what score() returned, or as its inputs.
    output: the page to write, which is returned. Without one the page itself is, as a str.
    flags: as of `air report --help`: heads="heads.json", title="My traces".
    Raises UsageError, InputError, ModelError, ResourceError (AirError); TypeError; KeyboardInterrupt.
    """
    return _run("report", scored, output, flags, as_text=True)


def load(path):
    """Scored or selected records as a datasets.Dataset.

    path: a file of JSON Lines, or of Parquet where its name ends in .parquet.
    A key that only some records have is a column for all, with None where it is missing.
    Raises ResourceError without the package datasets; InputError for a file that is neither, and for
    a column whose values are of several types.
    """
    try:
        import datasets
    except ImportError as error:
        raise make_error(EXIT_RESOURCE, f"load() needs the package datasets: {error}", "pip install datasets") from error
    path = os.fspath(path)
    try:
        if path.endswith(".parquet"):
            import pyarrow.parquet

            return datasets.Dataset(pyarrow.parquet.read_table(path))
        with open(path, "rb") as file:
            records = _records_of(file, path)
    except OSError as error:
        raise make_error(EXIT_INPUT, f"{path}: {error.strerror or error}") from error
    except ValueError as error:  # of pyarrow
        raise make_error(EXIT_INPUT, f"{path}: {error}") from error
    return datasets.Dataset.from_dict({name: _column(datasets, records, name, path)
                                       for name in dict.fromkeys(name for record in records for name in record)})


def _column(datasets, records, name, path):
    values = [record.get(name) for record in records]
    try:
        datasets.Dataset.from_dict({name: values})
    except (ValueError, TypeError, OverflowError) as error:  # of pyarrow
        raise make_error(EXIT_INPUT, f"{path}: column {name!r} does not fit one type: {error}",
                         "air select -o NAME.parquet writes such values as JSON text") from error
    return values


def _records_of(file, name):
    records = []
    for number, line in enumerate(file, 1):
        if line.isspace():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise make_error(EXIT_INPUT, f"{name}:{number}: not JSON: {error}") from None
        if not isinstance(record, dict):
            raise make_error(EXIT_INPUT, f"{name}:{number}: not a JSON object")
        records.append(record)
    return records


def _run(verb, inputs, output, flags, as_text=False):
    """Runs a verb. Returns the output's path or, without one, what the program writes to stdout."""
    paths, records = ([], None) if inputs is None else _paths_or_records(inputs)
    arguments = [verb, *_arguments(flags)]
    if output is not None:
        output = os.fspath(output)
        if output == "-":
            raise ValueError('output="-": leave output out to have the result returned')
    arguments.append("--output=" + (output or "-"))  # also without one: AIR_OUTPUT must not take the result away
    # Files, not pipes: the program sees all records or does not start, whatever becomes of us; it
    # never waits for us, nor we for it.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout:
        if records is not None:
            _write_records(records, stdin)
            stdin.seek(0)
            paths = ["-"]
        run([*arguments, *paths], stdin=None if records is None else stdin, stdout=stdout)
        stdout.seek(0)
        if as_text and output is None or any(flags.get(name) for name in _TEXT_FLAGS):
            return stdout.read().decode("utf-8") or output
        return output or _records_of(stdout, f"<stdout of air {verb}>")


def _paths_or_records(inputs):
    """(paths, None) or (none, records)."""
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    if isinstance(inputs, Mapping):
        hint = "; of a DatasetDict, choose a split" if hasattr(inputs, "column_names") else ""
        raise TypeError(f"one {type(inputs).__name__} where a list of records belongs{hint}")
    if hasattr(inputs, "iloc"):  # of pandas, whose items are the names of columns
        raise TypeError(f'a {type(inputs).__name__} where a list of records belongs; frame.to_dict("records") makes one')
    if not isinstance(inputs, Iterable):
        raise TypeError(f"a {type(inputs).__name__} is neither a path nor a list of paths or records")
    if isinstance(inputs, (list, tuple)) and inputs and all(isinstance(item, (str, os.PathLike)) for item in inputs):
        paths = map(os.fspath, inputs)
        return [f"./{path}" if path.startswith("-") and path != "-" else path for path in paths], None
    return [], inputs


def _write_records(records, file):
    """JSON Lines, as json.dumps writes them: NaN stays NaN, None becomes null."""
    for number, record in enumerate(records, 1):
        if not isinstance(record, Mapping):
            raise TypeError(f"record {number} is a {type(record).__name__}, not a dict")
        try:
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_plain)
            file.write(line.encode("utf-8"))
        except UnicodeEncodeError:  # half a surrogate pair, which only an escape can hold
            file.write(json.dumps(record, separators=(",", ":"), default=_plain).encode("ascii"))
        except TypeError as error:
            raise TypeError(f"record {number}: {error}") from None
        file.write(b"\n")


def _plain(value):
    """What json cannot write by itself: numbers and arrays of numpy and torch, dates, decimals."""
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__} is not JSON")


def _arguments(flags):
    """max_length=8192 -> --max-length=8192; True -> the flag alone; False and None -> nothing; a dict -> JSON."""
    arguments = []
    for name, value in flags.items():
        flag = "--" + name.rstrip("_").replace("_", "-")  # import_ and others that Python keeps for itself
        value = value.tolist() if hasattr(value, "tolist") else value  # of numpy
        if value is True:
            arguments.append(flag)
        elif value is None or value is False:
            continue
        elif name in _REPEATED and not isinstance(value, str):
            for item in value:
                arguments += _argument(flag, _text(item))
        else:
            arguments += _argument(flag, _text(value))
    return arguments


def _argument(flag, text):
    # In one piece, so that a value may begin with a dash; an empty one would be looked for in the next.
    return [f"{flag}={text}"] if text else [flag, text]


def _text(value):
    if isinstance(value, Mapping):
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
