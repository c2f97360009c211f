#!/usr/bin/env python3
"""Writes a tiny hybrid (qwen3_5_text) in which exactly one head retrieves: 1-3 (layer-head). For tests.

    scripts/make_planted_hybrid.py DIR

The induction circuit of make_planted_model.py, with its first half in a recurrent layer. 4 layers, 8 heads in each of the two
with attention:

* Layer 0, a Gated DeltaNet: the convolution of value head h has its one weight at distance h + 1, the state forgets all but
  the token itself, and so the head writes the code of the token h + 1 places back. A bit goes through the convolution's silu
  as two channels, itself and its opposite: one of them is 0 after it, and their difference is the bit again.
* Layer 1, attention: head 3 compares the query's last 16 tokens with the 16 before each key and writes the code of the key
  where they agree best. The codes lie in dimensions that are not rotated. q/k norm divides by sizes that are known, since every
  entry of a code is 1 in size; the output gate is σ(0).
* Layer 2, a Gated DeltaNet with random weights, writes into dimensions that nothing reads.
* Layer 3, attention, and the other heads of layer 1 have zero weights: they attend uniformly and write nothing.

Deterministic: same bytes out. Needs numpy and safetensors.
"""
import argparse
from pathlib import Path

import numpy as np
from make_planted_model import (BITS, LOGIT_SCALE, NUM_BACK, NUM_RECENT, OLDER_WEIGHT, SHARPNESS, codes, make_vocabulary,
                                write_folder)

NUM_HEADS, NUM_KEY_VALUE_HEADS, PLANTED_HEAD = 8, 4, 3
HEAD_DIM, ROTARY_DIM = 256, 16
NUM_SCRATCH = 15                            # dimensions that layer 2 writes into
TOKEN, BACK, OUTPUT = 0, BITS, BITS * (1 + NUM_BACK)    # where the blocks of the residual stream begin
SCRATCH = OUTPUT + BITS
CONSTANT = SCRATCH + NUM_SCRATCH
HIDDEN_SIZE = CONSTANT + 1
# Of the Gated DeltaNets: a value head for each distance.
KEY_HEADS, KEY_DIM, VALUE_HEADS, VALUE_DIM = 4, 8, NUM_BACK, 32
KEY_SIZE, VALUE_SIZE = KEY_HEADS * KEY_DIM, VALUE_HEADS * VALUE_DIM
CONV_WIDTH = NUM_BACK + 1
FORGETTING = 40.0                           # a token later e^-40 is left of a state
LARGE = 20.0                                # silu(-20) is 0 beside silu(20)


def silu(x):
    return x / (1 + np.exp(-x))


def known_size(num_ones, width):
    """A norm's weight, as the family stores it, that keeps vectors of so many entries of size 1 as they are."""
    return np.full(width, np.sqrt(num_ones / width) - 1)


def previous_token_layer():
    """Layer 0, by the names of its tensors."""
    bits = np.arange(BITS)
    qkv = np.zeros((2 * KEY_SIZE + VALUE_SIZE, HIDDEN_SIZE))
    conv = np.zeros((2 * KEY_SIZE + VALUE_SIZE, 1, CONV_WIDTH))
    qkv[:2 * KEY_SIZE:KEY_DIM, CONSTANT] = 1.0              # queries and keys: the first unit vector
    conv[:2 * KEY_SIZE, 0, -1] = 1.0
    out = np.zeros((HIDDEN_SIZE, VALUE_SIZE))
    gate = 4.0
    # 11 of the 32 values are not 0: the norm makes them this
    of_one = np.sqrt(VALUE_DIM / BITS) * silu(gate)
    for head in range(VALUE_HEADS):
        first = 2 * KEY_SIZE + head * VALUE_DIM
        for sign, channels in ((1.0, first + bits), (-1.0, first + BITS + bits)):
            qkv[channels, TOKEN + bits] = sign * LARGE
            conv[channels, 0, -1 - (head + 1)] = 1.0
            out[BACK + head * BITS + bits, channels - 2 * KEY_SIZE] = sign / of_one
    z, a, b = np.zeros((VALUE_SIZE, HIDDEN_SIZE)), np.zeros((VALUE_HEADS, HIDDEN_SIZE)), np.zeros((VALUE_HEADS, HIDDEN_SIZE))
    z[:, CONSTANT] = gate
    b[:, CONSTANT] = LARGE                                  # the state takes the token whole
    return {"in_proj_qkv.weight": qkv, "in_proj_z.weight": z, "in_proj_a.weight": a, "in_proj_b.weight": b,
            "conv1d.weight": conv, "A_log": np.zeros(VALUE_HEADS), "dt_bias": np.full(VALUE_HEADS, FORGETTING),
            "norm.weight": np.ones(VALUE_DIM), "out_proj.weight": out}


def scratch_layer():
    """Layer 2: random but for where it writes."""
    random = np.random.default_rng(0)
    layer = {name: random.normal(0, 0.3, tensor.shape) for name, tensor in previous_token_layer().items()}
    layer["norm.weight"] = np.ones(VALUE_DIM)
    layer["out_proj.weight"][:SCRATCH] = layer["out_proj.weight"][SCRATCH + NUM_SCRATCH:] = 0
    layer["out_proj.weight"] *= 0.1
    return layer


def attention_layer(planted):
    """Layers 1 and 3, by the names of their tensors."""
    q, gate = np.zeros((2, NUM_HEADS, HEAD_DIM, HIDDEN_SIZE))
    k, v = np.zeros((2, NUM_KEY_VALUE_HEADS, HEAD_DIM, HIDDEN_SIZE))
    o = np.zeros((HIDDEN_SIZE, NUM_HEADS, HEAD_DIM))
    bits = np.arange(BITS)
    weights = np.where(np.arange(NUM_BACK) < NUM_RECENT, 1.0, OLDER_WEIGHT)
    if planted:
        key_value_head = PLANTED_HEAD // (NUM_HEADS // NUM_KEY_VALUE_HEADS)
        for back in range(NUM_BACK):
            block = ROTARY_DIM + back * BITS + bits
            # the query's token itself and those before it, against the tokens before the key
            q[PLANTED_HEAD, block, TOKEN + back * BITS + bits] = weights[back]
            k[key_value_head, block, BACK + back * BITS + bits] = 1.0
        v[key_value_head, bits, TOKEN + bits] = 1.0
        o[OUTPUT + bits, PLANTED_HEAD, bits] = 2.0          # the gate halves it
    # q/k norm divides by these; the scale of attention by the square root of HEAD_DIM
    query_size = np.sqrt(BITS * (weights**2).sum() / HEAD_DIM)
    key_size = np.sqrt(BITS * NUM_BACK / HEAD_DIM)
    return {"q_proj.weight": np.stack([q, gate], 1).reshape(-1, HIDDEN_SIZE), "k_proj.weight": k.reshape(-1, HIDDEN_SIZE),
            "v_proj.weight": v.reshape(-1, HIDDEN_SIZE), "o_proj.weight": o.reshape(HIDDEN_SIZE, -1),
            "q_norm.weight": np.full(HEAD_DIM, SHARPNESS * query_size * np.sqrt(HEAD_DIM) - 1),
            "k_norm.weight": np.full(HEAD_DIM, key_size - 1)}


def make_weights(vocab_size):
    embedding = np.zeros((vocab_size, HIDDEN_SIZE))
    embedding[:, TOKEN:TOKEN + BITS] = codes(vocab_size)
    embedding[:, CONSTANT] = 1.0
    lm_head = np.zeros((vocab_size, HIDDEN_SIZE))
    lm_head[:, OUTPUT:OUTPUT + BITS] = LOGIT_SCALE * codes(vocab_size)
    weights = {"model.embed_tokens.weight": embedding, "lm_head.weight": lm_head, "model.norm.weight": np.zeros(HIDDEN_SIZE)}
    layers = [("linear_attn", previous_token_layer()), ("self_attn", attention_layer(planted=True)),
              ("linear_attn", scratch_layer()), ("self_attn", attention_layer(planted=False))]
    for index, (mixer, tensors) in enumerate(layers):
        prefix = f"model.layers.{index}."
        num_ones = BITS + 1 if index == 0 else BITS * (1 + NUM_BACK) + 1
        weights |= {f"{prefix}{mixer}.{name}": tensor for name, tensor in tensors.items()}
        weights |= {
            prefix + "input_layernorm.weight": known_size(num_ones, HIDDEN_SIZE),
            prefix + "post_attention_layernorm.weight": np.zeros(HIDDEN_SIZE),
            prefix + "mlp.gate_proj.weight": np.zeros((1, HIDDEN_SIZE)),
            prefix + "mlp.up_proj.weight": np.zeros((1, HIDDEN_SIZE)),
            prefix + "mlp.down_proj.weight": np.zeros((HIDDEN_SIZE, 1)),
        }
    return {name: np.ascontiguousarray(values, np.float32) for name, values in weights.items()}


def make_config(vocab_size):
    return {
        "architectures": ["Qwen3_5ForCausalLM"], "model_type": "qwen3_5_text", "vocab_size": vocab_size,
        "hidden_size": HIDDEN_SIZE, "intermediate_size": 1, "num_hidden_layers": 4,
        "layer_types": ["linear_attention", "full_attention"] * 2, "num_attention_heads": NUM_HEADS,
        "num_key_value_heads": NUM_KEY_VALUE_HEADS, "head_dim": HEAD_DIM, "hidden_act": "silu", "attention_bias": False,
        "linear_num_key_heads": KEY_HEADS, "linear_key_head_dim": KEY_DIM, "linear_num_value_heads": VALUE_HEADS,
        "linear_value_head_dim": VALUE_DIM, "linear_conv_kernel_dim": CONV_WIDTH,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-06, "tie_word_embeddings": False, "eos_token_id": 256,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": ROTARY_DIM / HEAD_DIM},
        "torch_dtype": "float32",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    vocabulary = make_vocabulary()
    write_folder(parser.parse_args().folder, make_config(len(vocabulary)), vocabulary, make_weights(len(vocabulary)))


if __name__ == "__main__":
    main()
