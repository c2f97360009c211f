"""A model that has learnt nothing: another one with the elements of each weight tensor in random order."""
import json
import shutil
from pathlib import Path

import numpy as np

ELEMENT_BYTES = {"F32": 4, "BF16": 2, "F16": 2}


def make_shuffled_model(folder, target, seed=0):
    """Copies a model folder with a single safetensors file; every value stays in its tensor, at another place."""
    target.mkdir(parents=True)
    for path in Path(folder).glob("*.json"):
        shutil.copy(path, target)
    data = bytearray((Path(folder) / "model.safetensors").read_bytes())
    header_bytes = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + header_bytes])
    header.pop("__metadata__", None)
    rng = np.random.default_rng(seed)
    for tensor in header.values():
        begin, end = (8 + header_bytes + offset for offset in tensor["data_offsets"])
        elements = np.frombuffer(data, np.dtype(f"u{ELEMENT_BYTES[tensor['dtype']]}"),
                                 offset=begin, count=(end - begin) // ELEMENT_BYTES[tensor["dtype"]])
        rng.shuffle(elements)
    (target / "model.safetensors").write_bytes(data)
    return target
