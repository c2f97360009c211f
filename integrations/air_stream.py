"""A process of `air score --stream` fed from Python: records in, answers out, in order.

    with Stream("SmolLM2-135M-Instruct", "heads.json") as stream:
        answers = stream.score([{"prompt": "2 + 2?", "response": "4."}])
        answers[0].scores[0]["influence"]

What the process promises is in docs/data-format.md, "A stream". air_ray and air_datatrove stand on it.
"""
import datetime
import decimal
import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field

# What of a failed process's messages an error repeats.
TAIL_LINES = 20


class StreamError(RuntimeError):
    """The process ended before it had answered. `exit_code` as of subprocess: negative for a signal."""

    def __init__(self, message, exit_code):
        super().__init__(message, exit_code)
        self.exit_code = exit_code

    def __str__(self):
        return self.args[0]


class BadRecord(ValueError):
    """A record that air cannot score, where that is to end the work."""


@dataclass
class Answer:
    """What became of a record: one object a trace, or the reason why there is none."""

    scores: list = field(default_factory=list)
    error: str = ""


def find_program():
    """The command `air` of this Python's environment, else of the PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), "air")
    found = beside if os.access(beside, os.X_OK) else shutil.which("air")
    if not found:
        raise FileNotFoundError("the command air is neither in this Python's environment nor on the PATH: install the wheel, or name program=")
    return found


def as_json(record):
    """The record as a line. Keys without a value are left out: tables give every row every column."""
    return json.dumps(_plain(record), ensure_ascii=False, separators=(",", ":"))


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return None     # an image, a sound: no text
    if hasattr(value, "tolist"):
        return _plain(value.tolist())   # of numpy
    return value


class Stream:
    """Loads the model once, then scores lists of records.

    flags: further flags of `air score`, such as ["--device", "cuda", "--max-length", "4096"].
    restarts: so often may the process be killed (out of memory, by hand) before that is an error; what it
        had not answered is scored again by the next one. An exit by its own will is an error at once.
    """

    def __init__(self, model, heads, *, flags=(), program=None, restarts=2):
        heads = ",".join(heads) if isinstance(heads, (list, tuple)) else str(heads)
        self.command = [program or find_program(), "score", "--stream", "--model", str(model), "--heads", heads, "--on-error", "report",
                        *map(str, flags), "-"]
        self.restarts = restarts
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def score(self, records):
        """An Answer for each record, in their order."""
        lines = [as_json(record) for record in records]
        answers = []
        while len(answers) < len(lines):
            try:
                self._answer(lines[len(answers):], answers)
            except StreamError as error:
                self.close()
                if error.exit_code >= 0 or self.restarts == 0:
                    raise
                self.restarts -= 1
                print(f"air: {str(error).splitlines()[0]}; starting anew", file=sys.stderr, flush=True)
        return answers

    def close(self):
        """Ends the process. The next score() starts another one."""
        process, self.process = self.process, None
        if process is None:
            return
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.kill()
        process.wait()
        process.stdout.close()

    def _start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._messages = deque(maxlen=TAIL_LINES)
        self._listener = threading.Thread(target=self._listen, args=(self.process.stderr, self._messages), daemon=True)
        self._listener.start()

    @staticmethod
    def _listen(pipe, messages):
        with pipe:
            for line in pipe:
                messages.append(line.decode(errors="replace"))
                sys.stderr.write(messages[-1])

    def _answer(self, lines, answers):
        if self.process is None:
            self._start()
        # Written beside the reading: the process stops reading when nobody takes its answers.
        writer = threading.Thread(target=self._write, args=(self.process, lines), daemon=True)
        writer.start()
        for _ in lines:
            line = self.process.stdout.readline()
            if not line.endswith(b"\n"):
                raise self._failure()
            answers.append(self._parse(line))
        writer.join()

    @staticmethod
    def _write(process, lines):
        try:
            for line in lines:
                process.stdin.write(line.encode("utf-8", "surrogatepass") + b"\n")
            process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass    # it ended: whoever reads its answers finds out why

    @staticmethod
    def _parse(line):
        air = json.loads(line)["air"]
        if isinstance(air, dict) and air["schema"] == "air.error/1":
            return Answer(error=air["reason"])
        return Answer(scores=air if isinstance(air, list) else [air])

    def _failure(self):
        code = self.process.wait()
        self._listener.join(5)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return StreamError(f"the process of air score {how}\n" + "".join(self._messages), code)


def on_error_choice(choice):
    if choice not in ("fail", "skip", "report"):
        raise ValueError(f'on_error="{choice}": it is "fail", "skip" or "report"')
    return choice
