"""Scores a Ray dataset: actors that keep the model loaded.

    import ray, air_ray
    traces = ray.data.read_json("traces/")
    scored = air_ray.score(traces, "SmolLM2-135M-Instruct", "heads.json", num_workers=8, num_gpus=1)
    scored.write_parquet("scored/")
"""
import pyarrow
import ray.data

import air_stream

_STEP = [("begin", pyarrow.int64()), ("end", pyarrow.int64()), ("num_tokens", pyarrow.int64()), ("num_excluded", pyarrow.int64())]
_LOSSES = [(name, pyarrow.float64()) for name in ("base_nll", "ref_nll", "entropy", "control_nll", "controlled")]
_RATIOS = [(name, pyarrow.float64()) for name in ("influence", "divergence")]
_INTEGERS = pyarrow.list_(pyarrow.int64())
_NUMBERS = pyarrow.list_(pyarrow.float64())
# The object of docs/data-format.md. What a trace does not have is null.
AIR_TYPE = pyarrow.struct([
    ("schema", pyarrow.string()), ("line", pyarrow.int64()), ("trace", pyarrow.int64()), *_RATIOS, *_LOSSES,
    ("num_tokens", pyarrow.int64()), ("num_prompt_tokens", pyarrow.int64()), ("num_steps", pyarrow.int64()),
    ("num_excluded", pyarrow.int64()), ("repetition", pyarrow.float64()), ("truncated", pyarrow.bool_()), ("response", pyarrow.string()),
    ("steps", pyarrow.list_(pyarrow.struct([*_STEP, *_LOSSES, *_RATIOS, ("weight", pyarrow.float64())]))),
    ("tokens", pyarrow.struct([("ids", _INTEGERS), ("begin", _INTEGERS), ("base_nll", _NUMBERS), ("ref_nll", _NUMBERS), ("entropy", _NUMBERS),
                               ("excluded", _INTEGERS)])),
])


def score(dataset, model, heads, *, flags=(), num_workers=1, num_cpus=1, num_gpus=0, batch_size=256, line=None, on_error="fail", program=None):
    """The dataset with a column "air", in the order of its rows.

    model, heads: as of `air score`; a file must be where the workers run.   flags: its further flags.
    num_workers: actors, each of which loads the model; num_cpus, num_gpus: of each (no GPU: on num_cpus cores).
    batch_size: rows that a worker scores in one go, and does again when it dies.
    line: a column with the row's number from 0, for air's "line", which breaks ties in the ranking; None: no line.
    on_error: what a row that cannot be scored does: "fail" ends the job, "skip" leaves it out, "report" keeps it with
        air null and the reason in a column "air_error".
    A row of several traces gives a row for each; air's "trace" tells them apart.
    """
    air_stream.on_error_choice(on_error)
    device = ["--device", "cuda"] if num_gpus else ["--device", "cpu", "--threads", str(max(1, int(num_cpus)))]
    own = {"--stream", "--model", "--heads", "--on-error", "-o", "--output"} & set(map(str, flags))
    if own:
        raise ValueError(f"flags: {', '.join(sorted(own))} are air_ray's own")
    arguments = {"model": str(model), "heads": heads, "flags": [*device, *map(str, flags)], "line": line, "on_error": on_error, "program": program}
    scored = dataset.map_batches(_Worker, fn_constructor_kwargs=arguments, batch_format="pyarrow", batch_size=batch_size, num_cpus=num_cpus,
                                 num_gpus=num_gpus or None, compute=ray.data.ActorPoolStrategy(size=num_workers))
    scored.context.execution_options.preserve_order = True
    return scored


class _Worker:
    def __init__(self, model, heads, flags, line, on_error, program):
        self.stream = air_stream.Stream(model, heads, flags=flags, program=program)
        self.line, self.on_error = line, on_error
        self.may_overwrite = "--overwrite" in flags

    def __call__(self, table):
        if "air" in table.column_names:
            if not self.may_overwrite:
                raise ValueError('the dataset already has a column "air": flags=["--overwrite"] replaces it')
            table = table.drop_columns(["air"])
        answers = self.stream.score(table.to_pylist())
        lines = table.column(self.line).to_pylist() if self.line else None
        rows, scores, errors = [], [], []
        for row, answer in enumerate(answers):
            if answer.error and self.on_error == "fail":
                raise air_stream.BadRecord(f"a row cannot be scored: {answer.error}")
            for air in answer.scores:
                rows.append(row)
                scores.append(air | {"line": lines[row] + 1 if lines else None})
                errors.append(None)
            if answer.error and self.on_error == "report":
                rows.append(row)
                scores.append(None)
                errors.append(answer.error)
        out = table.take(pyarrow.array(rows, pyarrow.int64())).append_column("air", pyarrow.array(scores, AIR_TYPE))
        return out.append_column("air_error", pyarrow.array(errors, pyarrow.string())) if self.on_error == "report" else out
