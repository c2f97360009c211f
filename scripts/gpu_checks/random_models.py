"""Models of random weights in the shapes of published ones, drawn on the device and written where they are read fast.

    python3 -m gpu_checks.random_models FOLDER TOKENIZER DEVICE     one line of JSON for each model
"""
import json
import shutil
import sys
import time
from pathlib import Path

import torch

_QWEN2 = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "max_position_embeddings": 32768, "rope_theta": 1000000.0,
          "rms_norm_eps": 1e-6, "hidden_act": "silu", "use_sliding_window": False, "torch_dtype": "bfloat16"}


def _qwen2(hidden, inner, layers, heads, kv_heads, vocabulary, tied):
    return _QWEN2 | {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
                     "num_key_value_heads": kv_heads, "vocab_size": vocabulary, "tie_word_embeddings": tied}


# Few layers of a mixture: its rate is a layer's.
_QWEN3_MOE = {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "max_position_embeddings": 32768, "rope_theta": 1000000.0,
              "rms_norm_eps": 1e-6, "hidden_act": "silu", "use_sliding_window": False, "torch_dtype": "bfloat16", "hidden_size": 2048,
              "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8, "norm_topk_prob": True,
              "decoder_sparse_step": 1, "mlp_only_layers": [], "num_hidden_layers": 4, "num_attention_heads": 32, "num_key_value_heads": 4,
              "head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": False}
_GPT_OSS = {"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
            "hidden_act": "silu", "torch_dtype": "bfloat16", "hidden_size": 2880, "intermediate_size": 2880, "num_local_experts": 32,
            "num_experts_per_tok": 4, "num_hidden_layers": 4, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
            "sliding_window": 128, "layer_types": ["sliding_attention", "full_attention"] * 2, "swiglu_limit": 7.0, "attention_bias": True,
            "rope_parameters": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
                                "original_max_position_embeddings": 4096, "rope_theta": 150000.0},
            "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]},
            "vocab_size": 201088, "tie_word_embeddings": False}

SHAPES = {"0.5B": _qwen2(896, 4864, 24, 14, 2, 151936, True), "1.5B": _qwen2(1536, 8960, 28, 12, 2, 151936, True),
          "7B": _qwen2(3584, 18944, 28, 28, 4, 152064, False), "qwen3-moe": _QWEN3_MOE, "gpt-oss": _GPT_OSS}
_TINY = {"vocab_size": 512, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
TINY_SHAPES = {"0.5B": SHAPES["0.5B"] | _TINY | {"intermediate_size": 96, "num_hidden_layers": 3},
               "1.5B": SHAPES["1.5B"] | _TINY | {"intermediate_size": 96, "num_hidden_layers": 4},
               "7B": SHAPES["7B"] | _TINY | {"intermediate_size": 128, "num_hidden_layers": 12},
               "qwen3-moe": _QWEN3_MOE | _TINY | {"moe_intermediate_size": 32, "num_experts": 8, "head_dim": 16, "num_hidden_layers": 2},
               "gpt-oss": _GPT_OSS | _TINY | {"intermediate_size": 64, "num_local_experts": 4, "head_dim": 16, "num_hidden_layers": 2,
                                              "layer_types": ["sliding_attention", "full_attention"]}}


class Drawer:
    """Weights of a standard deviation of 0.02; norms are 1."""

    def __init__(self, device):
        self.device = device
        self.generator = torch.Generator(device).manual_seed(0)

    def normal(self, *size):
        return torch.empty(*size, dtype=torch.bfloat16, device=self.device).normal_(0, 0.02, generator=self.generator).cpu()

    def bytes(self, low, high, *size):
        return torch.randint(low, high, size, dtype=torch.uint8, device=self.device, generator=self.generator).cpu()

    def ones(self, size):
        return torch.ones(size, dtype=torch.bfloat16)


def head_size(shape):
    return shape.get("head_dim") or shape["hidden_size"] // shape["num_attention_heads"]


def attention(draw, p, shape):
    h, d = shape["hidden_size"], head_size(shape)
    q, kv = d * shape["num_attention_heads"], d * shape["num_key_value_heads"]
    tensors = {f"{p}self_attn.{name}_proj.weight": draw.normal(rows, h) for name, rows in (("q", q), ("k", kv), ("v", kv))}
    tensors[p + "self_attn.o_proj.weight"] = draw.normal(h, q)
    if shape["model_type"] in ("qwen2", "gpt_oss"):
        tensors |= {f"{p}self_attn.{name}_proj.bias": draw.normal(rows) for name, rows in (("q", q), ("k", kv), ("v", kv))}
    if shape["model_type"] == "gpt_oss":
        tensors |= {p + "self_attn.o_proj.bias": draw.normal(h), p + "self_attn.sinks": draw.normal(shape["num_attention_heads"])}
    if shape["model_type"] == "qwen3_moe":
        tensors |= {p + "self_attn.q_norm.weight": draw.ones(d), p + "self_attn.k_norm.weight": draw.ones(d)}
    return tensors


def mlp(draw, p, shape):
    h, inner = shape["hidden_size"], shape["intermediate_size"]
    if shape["model_type"] == "qwen2":
        return {f"{p}mlp.{name}_proj.weight": draw.normal(*size) for name, size in (("gate", (inner, h)), ("up", (inner, h)), ("down", (h, inner)))}
    if shape["model_type"] == "qwen3_moe":
        inner = shape["moe_intermediate_size"]
        return {p + "mlp.gate.weight": draw.normal(shape["num_experts"], h)} | {
            f"{p}mlp.experts.{i}.{name}_proj.weight": draw.normal(*size) for i in range(shape["num_experts"])
            for name, size in (("gate", (inner, h)), ("up", (inner, h)), ("down", (h, inner)))}
    experts = shape["num_local_experts"]
    tensors = {p + "mlp.router.weight": draw.normal(experts, h), p + "mlp.router.bias": draw.normal(experts)}
    for name, rows, columns in (("gate_up_proj", 2 * inner, h), ("down_proj", h, inner)):
        tensors |= {f"{p}mlp.experts.{name}_blocks": draw.bytes(0, 256, experts, rows, columns // 32, 16),
                    f"{p}mlp.experts.{name}_scales": draw.bytes(118, 121, experts, rows, columns // 32),
                    f"{p}mlp.experts.{name}_bias": draw.normal(experts, rows)}
    return tensors


def make_random_model(folder, shape, device, tokenizer):
    """@returns bytes of its weights. One that is there already stays."""
    from safetensors.torch import save_file
    index = folder / "model.safetensors.index.json"     # written last
    if index.exists() and json.loads((folder / "config.json").read_text()) == shape:
        return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    folder.mkdir(exist_ok=True)
    index.unlink(missing_ok=True)
    (folder / "config.json").write_text(json.dumps(shape))
    for file in tokenizer.iterdir():
        shutil.copy(file, folder)
    draw, weight_map, h = Drawer(device), {}, shape["hidden_size"]

    def layer(i):
        p = f"model.layers.{i}."
        norms = {p + f"{name}_layernorm.weight": draw.ones(h) for name in ("input", "post_attention")}
        return attention(draw, p, shape) | mlp(draw, p, shape) | norms

    def ends():
        names = ["model.embed_tokens.weight"] + ([] if shape["tie_word_embeddings"] else ["lm_head.weight"])
        return {name: draw.normal(shape["vocab_size"], h) for name in names} | {"model.norm.weight": draw.ones(h)}

    parts = [lambda i=i: layer(i) for i in range(shape["num_hidden_layers"])] + [ends]
    for number, part in enumerate(parts):
        tensors, file = part(), f"model-{number}.safetensors"
        save_file(tensors, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, file)
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def main():
    folder, tokenizer, device = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    for name, shape in (SHAPES if device == "cuda" else TINY_SHAPES).items():
        begin = time.perf_counter()
        size = make_random_model(folder / name, shape, device, tokenizer)
        print(json.dumps({name: {"GiB": size / 2**30, "seconds": time.perf_counter() - begin}}), flush=True)


if __name__ == "__main__":
    main()
