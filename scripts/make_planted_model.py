#!/usr/bin/env python3
"""Writes a tiny Llama model in which exactly two heads retrieve: 1-5 and 1-12 (layer-head). For tests.

    scripts/make_planted_model.py DIR

It is an induction circuit (Olsson et al. 2022, arXiv:2209.11895) built by hand, 2 layers x 16 heads (4 of keys and values):

* Tokens are bytes, <|endoftext|>, and whole words: those that the probes of `air find-heads` are written with. The code of
  a token is its id in 11 bits, each -1 or +1.
* The residual stream holds: the token's code | the codes of the 16 tokens before it | the output's code | the constant 1.
* Layer 0, head h attends to the token h + 1 places back and writes its code. Query and key are constants; RoPE makes the
  score a sum of cosines of the distance, and the query's phase puts its peak at h + 1.
* Layer 1, heads 5 and 12 compare the query's last 16 tokens (itself and 15 before) with the 16 tokens before each key,
  attend to the key where they agree best and write that key's code as the output, each one half of the bits: they copy what
  followed last time, and neither can do without the other. The codes lie in dimensions that RoPE rotates so slowly that
  4,096 positions make no difference.
* All other heads of layer 1 have zero weights: they attend uniformly and write nothing. So has the MLP.

A score of 1 takes a match that is never ambiguous. Bytes alone would not do: the 16 bytes before a letter of the needle may
well stand elsewhere in the haystack. 16 words do not; they reach back to the needle's lead, or from nearly any word of a key's
value to its key. Before the needle's first word only the lead agrees, so the last 6 tokens, as many as the shortest lead has,
count four times as much as those before them.

Scales are so large that attention is one-hot to float32 precision. The layer-0 heads are needed for the copying, but do
not retrieve: they never attend to a token that equals the next one because of what it is. Deterministic: same bytes out.
Needs numpy and safetensors.
"""
import argparse
import json
import re
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

PROBE_SOURCES = Path(__file__).resolve().parent.parent / "src" / "find_heads"

NUM_LAYERS, NUM_HEADS, NUM_KEY_VALUE_HEADS = 2, 16, 4
PLANTED_HEADS = 5, 12                       # of layer 1
BITS = 11                                   # of a token's code
NUM_BACK = NUM_HEADS                        # tokens remembered: the head h of layer 0 brings the one h + 1 back
NUM_RECENT, OLDER_WEIGHT = 6, 0.25          # of the match
HEAD_DIM = 256                              # 128 pairs of dimensions (i, i + 128), rotated by THETA^(-i/128) a position
NUM_FAST = 40                               # pairs that tell distances apart; the other 88 hold 16 codes
THETA = 1e18
HIDDEN_SIZE = 208
TOKEN, BACK, OUTPUT = 0, BITS, BITS * (1 + NUM_BACK)   # where the blocks of the residual stream begin
CONSTANT = OUTPUT + BITS
SHARPNESS = 40.0                            # of both attention patterns; >= 20 nats between the best key and the next
LOGIT_SCALE = 4.0
END_OF_TEXT = "<|endoftext|>"


def probe_words():
    """The words in the string literals that probes are made of, with and without a space before them."""
    words = set()
    for name in ("haystack", "needle_probe", "kv_probe", "probe"):
        code = re.sub(r"^#include.*$", "", (PROBE_SOURCES / f"{name}.cpp").read_text(encoding="utf-8"), flags=re.MULTILINE)
        for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', code):
            words |= set(re.findall(r"[A-Za-z]+", re.sub(r"\\.", " ", literal)))
    words |= {word.capitalize() for word in words}
    return [space + word for word in sorted(words) for space in ("", " ") if len(space + word) > 1]


def codes(num_tokens):
    """[num_tokens, BITS] of -1 and +1."""
    ids = np.arange(num_tokens)[:, None]
    return np.where(ids >> np.arange(BITS) & 1, 1.0, -1.0)


def slow_dimensions():
    """Dimensions of a head that hold codes: the slow pairs, first halves then second halves."""
    pairs = np.arange(NUM_FAST, HEAD_DIM // 2)
    return np.concatenate([pairs, pairs + HEAD_DIM // 2])


def zero_projections():
    """q, k, v, [heads, HEAD_DIM, HIDDEN_SIZE], and o, [HIDDEN_SIZE, heads, HEAD_DIM]."""
    return (np.zeros((NUM_HEADS, HEAD_DIM, HIDDEN_SIZE)), *np.zeros((2, NUM_KEY_VALUE_HEADS, HEAD_DIM, HIDDEN_SIZE)),
            np.zeros((HIDDEN_SIZE, NUM_HEADS, HEAD_DIM)))


def previous_token_layer():
    """q, k, v, o of layer 0: one head for each distance 1..16; keys and values are the same for all."""
    q, k, v, o = zero_projections()
    pairs = np.arange(NUM_FAST)
    frequencies = THETA ** (-pairs / (HEAD_DIM // 2))
    bits = np.arange(BITS)
    k[:, pairs, CONSTANT] = 1.0
    v[:, bits, TOKEN + bits] = 1.0
    for head in range(NUM_HEADS):
        distance = head + 1
        q[head, pairs, CONSTANT] = SHARPNESS * np.cos(distance * frequencies)
        q[head, pairs + HEAD_DIM // 2, CONSTANT] = -SHARPNESS * np.sin(distance * frequencies)
        o[BACK + head * BITS + bits, head, bits] = 1.0
    return q, k, v, o


def induction_layer():
    """q, k, v, o of layer 1: the planted heads; the others stay zero."""
    q, k, v, o = zero_projections()
    places = slow_dimensions()
    bits = np.arange(BITS)
    for head, written in zip(PLANTED_HEADS, (bits[::2], bits[1::2]), strict=True):
        key_value_head = head // (NUM_HEADS // NUM_KEY_VALUE_HEADS)
        for back in range(NUM_BACK):
            block = places[back * BITS:(back + 1) * BITS]
            # the query's token itself and those before it, against the tokens before the key
            q[head, block, TOKEN + back * BITS + bits] = SHARPNESS * (1 if back < NUM_RECENT else OLDER_WEIGHT)
            k[key_value_head, block, BACK + back * BITS + bits] = 1.0
        v[key_value_head, bits, TOKEN + bits] = 1.0
        o[OUTPUT + written, head, written] = 1.0
    return q, k, v, o


def make_weights(vocab_size):
    embedding = np.zeros((vocab_size, HIDDEN_SIZE))
    embedding[:, TOKEN:TOKEN + BITS] = codes(vocab_size)
    embedding[:, CONSTANT] = 1.0
    lm_head = np.zeros((vocab_size, HIDDEN_SIZE))
    lm_head[:, OUTPUT:OUTPUT + BITS] = LOGIT_SCALE * codes(vocab_size)
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


def make_config(vocab_size):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocab_size,
        "hidden_size": HIDDEN_SIZE, "intermediate_size": 1, "num_hidden_layers": NUM_LAYERS,
        "num_attention_heads": NUM_HEADS, "num_key_value_heads": NUM_KEY_VALUE_HEADS, "head_dim": HEAD_DIM, "hidden_act": "silu",
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


def make_vocabulary():
    """Token -> id. Bytes are their own ids."""
    letters = byte_alphabet()
    tokens = letters + [END_OF_TEXT] + ["".join(letters[byte] for byte in word.encode()) for word in probe_words()]
    assert len(set(tokens)) == len(tokens) <= 2**BITS
    return {token: index for index, token in enumerate(tokens)}


def make_tokenizer(vocabulary):
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": vocabulary[END_OF_TEXT], "content": END_OF_TEXT, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True}],
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        # without merges: a word of the vocabulary is found whole, any other falls to bytes
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                  "vocab": vocabulary, "merges": []},
    }


def write_folder(folder, config, vocabulary, weights):
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": config, "tokenizer.json": make_tokenizer(vocabulary),
             "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_TEXT}}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    vocabulary = make_vocabulary()
    write_folder(parser.parse_args().folder, make_config(len(vocabulary)), vocabulary, make_weights(len(vocabulary)))


if __name__ == "__main__":
    main()
