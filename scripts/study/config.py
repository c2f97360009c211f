"""The configuration of a study: a TOML file of one table, read strictly."""
import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from . import StudyError

DTYPES = ("float32", "bfloat16")
METHODS = ("full", "lora")


@dataclass(frozen=True)
class Config:
    """All that decides what a study computes. Paths are relative to where the command is run."""

    # What goes in: records (scored and split here), or a scored file and a test set.
    model: str                          # folder of the model that is trained, and that scores
    work: str                           # folder of all that the study makes
    records: str = ""                   # traces: pool_records are scored, test_records held out
    pool_records: int = 0
    test_records: int = 0
    scored: str = ""                    # of `air score --controls N`; made of records when empty
    scored_without_copies: str = ""     # likewise, with --exclude-copies; made when empty
    test: str = ""                      # records of the held-out set; made when empty
    heads: str = ""                     # file or list for `air score --heads`; found when empty
    find_heads_flags: list[str] = field(default_factory=list)
    record_flags: list[str] = field(default_factory=list)   # fields, chat template: for every verb
    score_flags: list[str] = field(default_factory=list)
    controls: int = 4                   # random head sets, for `controlled`
    exclude_copies: int = 8             # the N of --exclude-copies

    # The design.
    arms: list[str] = field(default_factory=lambda: ["all"])
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    random_draws: int = 2               # random picks a seed
    pool_share: float = 0.5             # share of the pool that a seed's arms choose from
    token_budget: int = 8000            # response tokens of a pick
    bins: int = 10                      # of the arms that choose within strata
    max_tokens: int = 1024              # longer traces, prompt included, are nobody's choice

    # Training, the same for all arms.
    method: str = "full"
    lora_rank: int = 16
    dtype: str = "float32"              # of the arithmetic; weights and optimizer are float32
    epochs: int = 1
    batch_tokens: int = 1000            # response tokens of a step
    learning_rate: float = 2e-5
    warmup_share: float = 0.1
    checkpoint_steps: int = 0           # 0: an interrupted arm begins afresh
    device: str = "cpu"                 # cpu or cuda
    threads: int = 0                    # 0: as torch has it

    # What is measured.
    answers: int = 0                    # test records that are answered by generation; 0: none
    max_new_tokens: int = 256
    eval_batch_tokens: int = 4096       # padded tokens of an evaluation batch
    alpha: float = 0.05
    power: float = 0.8
    bootstrap_draws: int = 2000
    pilot_seeds: list[int] = field(default_factory=lambda: [1000, 1001, 1002])
    pilot_draws: int = 3

    def __post_init__(self):
        for name, allowed in (("dtype", DTYPES), ("method", METHODS), ("device", ("cpu", "cuda"))):
            if getattr(self, name) not in allowed:
                raise StudyError(f"{name} = {getattr(self, name)!r}: known are "
                                 f"{', '.join(allowed)}")
        for name in ("random_draws", "pilot_draws", "bins", "token_budget", "max_tokens",
                     "epochs", "batch_tokens", "eval_batch_tokens", "lora_rank", "bootstrap_draws", "exclude_copies"):
            if getattr(self, name) < 1:
                raise StudyError(f"{name} = {getattr(self, name)}: must be at least 1")
        for name in ("pool_share", "alpha", "power"):
            if not 0 < getattr(self, name) <= 1:
                raise StudyError(f"{name} = {getattr(self, name)}: must lie in (0, 1]")
        if len(set(self.seeds)) != len(self.seeds) or not self.seeds:
            raise StudyError(f"seeds = {self.seeds}: at least one, none twice")
        if bool(self.records) == bool(self.scored and self.test):
            raise StudyError("give either records, or scored and test")
        if self.records and (self.pool_records < 1 or self.test_records < 1):
            raise StudyError("records needs pool_records and test_records")
        if self.token_budget < self.batch_tokens:
            raise StudyError(f"token_budget {self.token_budget} is less than batch_tokens "
                             f"{self.batch_tokens}")

    @property
    def steps_per_epoch(self):
        return max(1, round(self.token_budget / self.batch_tokens))

    @property
    def work_folder(self):
        return Path(self.work).expanduser()

    @property
    def model_folder(self):
        return Path(self.model).expanduser()

    def pilot(self):
        """Random draws alone, under seeds of their own: the spread that the power follows from."""
        return dataclasses.replace(self, arms=[], seeds=self.pilot_seeds,
                                   random_draws=self.pilot_draws)

    def fingerprint(self):
        """Of what decides a run's numbers beside its picks: runs of other settings do not mix."""
        names = ("model", "method", "lora_rank", "dtype", "epochs", "batch_tokens", "learning_rate",
                 "warmup_share", "device", "answers", "max_new_tokens", "token_budget")
        text = json.dumps({name: getattr(self, name) for name in names})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _checked(name, value):
    """The value, when it has the type of the setting; a whole number serves as a real one."""
    default = {f.name: f for f in dataclasses.fields(Config)}[name]
    wanted = default.type
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kinds = {str: str, int: int, float: float, list[str]: list, list[int]: list}
    inner = {list[str]: str, list[int]: int}.get(wanted)
    good = isinstance(value, kinds[wanted]) and not isinstance(value, bool)
    if not good or inner and not all(type(item) is inner for item in value):
        raise StudyError(f"{name} = {value!r}: must be {getattr(wanted, '__name__', wanted)}")
    return value


def read_config(path, settings=()):
    """The configuration of a file; `settings` are NAME=VALUE texts that take its values' place."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = tomllib.loads(text)
        for setting in settings:
            name, _, value = setting.partition("=")
            known = {f.name: f.type for f in dataclasses.fields(Config)}
            values |= {name: value} if known.get(name) is str else tomllib.loads(setting)
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} {' '.join(settings)}: {error}") from error
    known = {f.name for f in dataclasses.fields(Config)}
    for name in values:
        if name not in known:
            raise StudyError(f"{path}: unknown setting {name}; known are "
                             f"{', '.join(sorted(known))}")
    for name in ("model", "work"):
        if name not in values:
            raise StudyError(f"{path}: {name} is missing")
    return Config(**{name: _checked(name, value) for name, value in values.items()})
