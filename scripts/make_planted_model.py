#!/usr/bin/env python3
"""Writes a tiny Llama model in which exactly one head retrieves: layer 1, head 5. For tests.

    scripts/make_planted_model.py DIR

It is an induction circuit (Olsson et al. 2022, arXiv:2209.11895) built by hand, 2 layers x 8 heads:

* Tokens are bytes (256 of them, no merges) and <|endoftext|>. The code of a token is its id in ten bits, each -1 or +1.
* The residual stream holds: the token's code | the codes of the 8 tokens before it | the output's code | the constant 1.
* Layer 0, head h attends to the token h + 1 places back and writes its code. Query and key are constants; RoPE makes the
  score a sum of cosines of the distance, and the query's phase puts its peak at h + 1.
* Layer 1, head 5 compares the query's last 8 tokens (itself and 7 before) with the 8 tokens before each key, attends to
  the key where they agree and writes that key's code as the output: it copies what followed last time.
  The codes lie in dimensions that RoPE rotates so slowly that 4,096 positions make no difference.
* All other heads of layer 1 have zero weights: they attend uniformly and write nothing. So has the MLP.

Scales are so large that attention is one-hot to float32 precision. The layer-0 heads are needed for the copying, but do
not retrieve: they never attend to a token that equals the next one because of what it is. Deterministic: same bytes out.
Needs numpy and safetensors.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

NUM_LAYERS, NUM_HEADS = 2, 8
PLANTED_LAYER, PLANTED_HEAD = 1, 5
VOCAB_SIZE = 257
BITS = 10                                   # of a token's code
NUM_BACK = NUM_HEADS                        # tokens remembered: the head h of layer 0 brings the one h + 1 back
HEAD_DIM = 128                              # 64 pairs of dimensions (i, i + 64), rotated by THETA^(-i/64) a position
NUM_FAST = 24                               # pairs that tell distances apart; the other 40 hold 8 codes
THETA = 1e15
HIDDEN_SIZE = 128
TOKEN, BACK, OUTPUT = 0, BITS, BITS * (1 + NUM_BACK)   # where the blocks of the residual stream begin
CONSTANT = OUTPUT + BITS
SHARPNESS = 40.0                            # of both attention patterns; >= 30 nats between the best key and the next
LOGIT_SCALE = 4.0


def codes():
    """[VOCAB_SIZE, BITS] of -1 and +1."""
    ids = np.arange(VOCAB_SIZE)[:, None]
    return np.where(ids >> np.arange(BITS) & 1, 1.0, -1.0)


def slow_dimensions():
    """Dimensions of a head that hold codes: the slow pairs, first halves then second halves."""
    pairs = np.arange(NUM_FAST, HEAD_DIM // 2)
    return np.concatenate([pairs, pairs + HEAD_DIM // 2])


def previous_token_layer():
    """q, k, v, o of layer 0: one head for each distance 1..8."""
    q, k, v = (np.zeros((NUM_HEADS, HEAD_DIM, HIDDEN_SIZE)) for _ in range(3))
    o = np.zeros((HIDDEN_SIZE, NUM_HEADS, HEAD_DIM))
    pairs = np.arange(NUM_FAST)
    frequencies = THETA ** (-pairs / (HEAD_DIM // 2))
    bits = np.arange(BITS)
    for head in range(NUM_HEADS):
        distance = head + 1
        q[head, pairs, CONSTANT] = SHARPNESS * np.cos(distance * frequencies)
        q[head, pairs + HEAD_DIM // 2, CONSTANT] = -SHARPNESS * np.sin(distance * frequencies)
        k[head, pairs, CONSTANT] = 1.0
        v[head, bits, TOKEN + bits] = 1.0
        o[BACK + head * BITS + bits, head, bits] = 1.0
    return q, k, v, o


def induction_layer():
    """q, k, v, o of layer 1: the planted head; the others stay zero."""
    q, k, v = (np.zeros((NUM_HEADS, HEAD_DIM, HIDDEN_SIZE)) for _ in range(3))
    o = np.zeros((HIDDEN_SIZE, NUM_HEADS, HEAD_DIM))
    places = slow_dimensions()
    bits = np.arange(BITS)
    for back in range(NUM_BACK):
        block = places[back * BITS:(back + 1) * BITS]
        # the query's token itself and those before it, against the tokens before the key
        q[PLANTED_HEAD, block, TOKEN + back * BITS + bits] = SHARPNESS
        k[PLANTED_HEAD, block, BACK + back * BITS + bits] = 1.0
    v[PLANTED_HEAD, bits, TOKEN + bits] = 1.0
    o[OUTPUT + bits, PLANTED_HEAD, bits] = 1.0
    return q, k, v, o


def make_weights():
    embedding = np.zeros((VOCAB_SIZE, HIDDEN_SIZE))
    embedding[:, TOKEN:TOKEN + BITS] = codes()
    embedding[:, CONSTANT] = 1.0
    lm_head = np.zeros((VOCAB_SIZE, HIDDEN_SIZE))
    lm_head[:, OUTPUT:OUTPUT + BITS] = LOGIT_SCALE * codes()
    weights = {"model.embed_tokens.weight": embedding, "lm_head.weight": lm_head, "model.norm.weight": np.ones(HIDDEN_SIZE)}
    for layer, (q, k, v, o) in enumerate([previous_token_layer(), induction_layer()]):
        prefix = f"model.layers.{layer}."
        # the norm divides by the root mean square, which is known: every entry of a code is 1 in size
        num_ones = BITS + 1 if layer == 0 else BITS * (1 + NUM_BACK) + 1
        norm = np.full(HIDDEN_SIZE, np.sqrt(num_ones / HIDDEN_SIZE))
        weights |= {
            prefix + "input_layernorm.weight": norm,
            prefix + "post_attention_layernorm.weight": np.ones(HIDDEN_SIZE),
            prefix + "self_attn.q_proj.weight": q.reshape(-1, HIDDEN_SIZE) * np.sqrt(HEAD_DIM),
            prefix + "self_attn.k_proj.weight": k.reshape(-1, HIDDEN_SIZE),
            prefix + "self_attn.v_proj.weight": v.reshape(-1, HIDDEN_SIZE),
            prefix + "self_attn.o_proj.weight": o.reshape(HIDDEN_SIZE, -1),
            prefix + "mlp.gate_proj.weight": np.zeros((1, HIDDEN_SIZE)),
            prefix + "mlp.up_proj.weight": np.zeros((1, HIDDEN_SIZE)),
            prefix + "mlp.down_proj.weight": np.zeros((HIDDEN_SIZE, 1)),
        }
    return {name: np.ascontiguousarray(values, np.float32) for name, values in weights.items()}


def make_config():
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": VOCAB_SIZE,
        "hidden_size": HIDDEN_SIZE, "intermediate_size": 1, "num_hidden_layers": NUM_LAYERS,
        "num_attention_heads": NUM_HEADS, "num_key_value_heads": NUM_HEADS, "head_dim": HEAD_DIM, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "max_position_embeddings": 4096, "rms_norm_eps": 1e-06,
        "rope_theta": THETA, "rope_scaling": None, "tie_word_embeddings": False, "eos_token_id": 256,
        "torch_dtype": "float32",
    }


def byte_alphabet():
    """The letters that byte-level tokenizers write bytes as (Radford et al. 2019, GPT-2)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = dict(zip(printable, map(chr, printable)))
    letters |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def make_tokenizer():
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": 256, "content": "<|endoftext|>", "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True}],
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {letter: byte for byte, letter in enumerate(byte_alphabet())} | {"<|endoftext|>": 256},
                  "merges": []},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": make_config(), "tokenizer.json": make_tokenizer(),
             "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    save_file(make_weights(), folder / "model.safetensors", {"format": "pt"})


if __name__ == "__main__":
    main()
