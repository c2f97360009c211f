"""Logits and losses of models by air: tests/model/dump_logits.cpp, run once and fed line by line."""
import json
import os
import subprocess
from pathlib import Path

import numpy as np
from air_runner import air_binary


class Window:
    """logits=False: losses only. threads: 1 for tiny models, 0 for as many as there are."""

    def __init__(self, logits=True, threads=1):
        self.logits = logits
        self.program = Path(air_binary()).parent / "tests" / "dump_logits"
        self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {}))

    def ask(self, **job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"{self.program} ended with {self.process.poll()}"
        return json.loads(line)

    def config(self, config):
        """As air understands it; a string: the error."""
        answer = self.ask(config=config)
        return answer.get("config") or answer["error"]

    def run(self, folder, sequences, variants, mode="uniform", dtype="float32", **more):
        answer = self.ask(model=str(folder), sequences=sequences, variants=variants, mode=mode, dtype=dtype,
                          logits=self.logits, **more)
        assert "error" not in answer, answer["error"]
        return {key: np.array(value) for key, value in answer.items()}

    def error(self, folder):
        return self.ask(model=str(folder), sequences=[[1]], variants=[[]])["error"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
