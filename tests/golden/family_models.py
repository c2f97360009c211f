"""Tiny random models of every family, as transformers makes and saves them."""
import math

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

VOCAB_SIZE = 96
LONG, SHORT = 41, 13        # tokens of the two sequences that every model is run on

_SIZES = {"vocab_size": VOCAB_SIZE, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3,
          "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
          "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
_MHA = {"num_key_value_heads": 4}
_MQA = {"num_key_value_heads": 1}
_EXPERTS = {"num_experts_per_tok": 2}

# Two layers of four with attention, values in groups of two. What a head reads is normalised: the smaller the heads and the faster
# the decay, the oftener it is nearly nothing, whose rounding the norm makes large.
_DELTA = {"num_hidden_layers": 4, "head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16,
          "linear_value_head_dim": 24, "layer_types": ["linear_attention", "full_attention", "linear_attention", "full_attention"]}
_SHARED = {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 20}
_LFM2_EXPERTS = {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "num_dense_layers": 1,
                 "num_hidden_layers": 4, "layer_types": ["conv", "full_attention"] * 2}
# Layers that are one thing each; heads of a Mamba-2 in one piece of work and in several.
_NEMOTRON = {"layers_block_type": ["linear_attention", "full_attention", "moe", "mlp", "linear_attention", "full_attention"],
             "head_dim": 16, "mamba_num_heads": 8, "mamba_head_dim": 6, "n_groups": 2, "ssm_state_size": 16,
             "n_routed_experts": 6, "num_experts_per_tok": 3, "n_group": 3, "topk_group": 2, "moe_intermediate_size": 24,
             "moe_shared_expert_intermediate_size": 20, "routed_scaling_factor": 1.5}
# Attention and a Mamba-2 in each layer, every multiplier away from 1.
_FALCON = {"mamba_d_ssm": 48, "mamba_n_heads": 8, "mamba_d_head": 6, "mamba_n_groups": 2, "mamba_d_state": 16, "head_dim": 16,
           "lm_head_multiplier": 0.8, "embedding_multiplier": 2.0, "mlp_multipliers": [0.7, 1.4], "key_multiplier": 0.6,
           "attention_out_multiplier": 1.3, "attention_in_multiplier": 1.2, "ssm_multipliers": [0.9, 1.2, 0.8, 1.1, 1.3],
           "ssm_in_multiplier": 0.9, "ssm_out_multiplier": 1.2}
_GRANITE = {"layer_types": ["linear_attention", "full_attention", "linear_attention"], "mamba_n_heads": 8, "mamba_d_head": 12,
            "mamba_n_groups": 2, "mamba_d_state": 16, "shared_intermediate_size": 56}
_QWEN35_VISION = {"hidden_size": 16, "depth": 1, "num_heads": 2, "intermediate_size": 16, "out_hidden_size": 48,
                "num_position_embeddings": 16}
# Heads of two sizes; where there is no window, values are keys and heads fewer (31B, 12B); embeddings of each layer, keys and
# values of earlier layers, MLPs of two widths (E2B, E4B); experts beside the MLP (26B-A4B). The part of a layer's embedding is
# gated and then normalised: of 8 numbers all can be near zero, and the norm would make their rounding large.
_GEMMA4 = {"head_dim": 16, "global_head_dim": 32, "sliding_window": 8, "num_hidden_layers": 4,
           "layer_types": ["sliding_attention", "full_attention"] * 2}
_GEMMA4_DENSE = _GEMMA4 | {"num_global_key_value_heads": 1, "attention_k_eq_v": True, "final_logit_softcapping": 5.0}
_GEMMA4_SMALL = _GEMMA4 | {"num_hidden_layers": 6, "num_kv_shared_layers": 3, "use_double_wide_mlp": True,
                           "layer_types": ["sliding_attention"] * 2 + ["full_attention", "sliding_attention"] + ["full_attention"] * 2,
                           "hidden_size_per_layer_input": 24, "vocab_size_per_layer_input": VOCAB_SIZE}
_GEMMA4_EXPERTS = _GEMMA4_DENSE | {"hidden_size_per_layer_input": 0, "enable_moe_block": True, "num_experts": 5, "top_k_experts": 2,
                                   "moe_intermediate_size": 24}
_GEMMA4_VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                  "num_key_value_heads": 2, "head_dim": 8, "position_embedding_size": 16}
# Experts in groups, of which the best ones are open; latent attention.
_ROUTED = {"n_routed_experts": 6, "num_experts_per_tok": 3, "n_group": 3, "topk_group": 2, "moe_intermediate_size": 24,
           "n_shared_experts": 2, "routed_scaling_factor": 1.5}
_LATENT = _MHA | {"q_lora_rank": 20, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 12, "v_head_dim": 10}
# Small sides of multimodal models: none of them takes part in a text.
_PIXTRAL = {"model_type": "pixtral", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 28, "patch_size": 14}
_QWEN_VISION = {"depth": 1, "num_heads": 2, "patch_size": 14, "hidden_size": 16, "intermediate_size": 16}
_MROPE = {"rope_type": "default", "mrope_section": [2, 2, 2], "rope_theta": 500.0}

_LINEAR = {"rope_type": "linear", "factor": 2.5, "rope_theta": 500.0}
_DYNAMIC = {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 500.0}, "max_position_embeddings": 20}
_LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
           "original_max_position_embeddings": 32, "rope_theta": 500.0}
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "rope_theta": 500.0}


_SCALED_QUERIES = _YARN | {"llama_4_scaling_beta": 0.5, "original_max_position_embeddings": 8, "mscale": 1.0,
                           "mscale_all_dim": 1.0}


def _text(model_type, vision, **keys):
    return {"text_config": _SIZES | {"model_type": model_type} | keys, "vision_config": vision}


def _longrope(half):
    """Short factors serve the short sequence, long ones the long."""
    return {"rope_type": "longrope", "original_max_position_embeddings": 24, "rope_theta": 500.0,
            "short_factor": [1.0 + 0.1 * i for i in range(half)], "long_factor": [1.5 + 0.7 * i for i in range(half)]}


def _by_layer_type(full, sliding):
    return {"rope_parameters": {"full_attention": full, "sliding_attention": sliding}}


# Text parts of models that also see images, saved as the whole. Gemma 3's is saved from the text model.
WRAPPERS = {"qwen3_5", "qwen3_5_moe", "gemma4", "gemma4_unified"}

# family: {name of the configuration: keys away from _SIZES}
FAMILIES = {
    "llama": {
        "gqa": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
        "mha-tied-biases": _MHA | {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
        "mqa-head_dim": _MQA | {"head_dim": 20},
        "linear": {"rope_parameters": _LINEAR},
        "dynamic": _DYNAMIC,
        "llama3": {"rope_parameters": _LLAMA3},
        "yarn": {"rope_parameters": _YARN},
        "yarn-mscale": {"rope_parameters": _YARN | {"mscale": 0.8, "mscale_all_dim": 0.5, "beta_fast": 8.0,
                                                    "beta_slow": 2.0, "truncate": False}},
        "yarn-attention_factor": {"rope_parameters": _YARN | {"attention_factor": 1.3}},
        "longrope": {"rope_parameters": _longrope(6)},
        "longrope-factor": {"rope_parameters": _longrope(6) | {"factor": 6.0}},
    },
    "mistral": {
        "window": {"sliding_window": 7},
        "no-window-head_dim": {"sliding_window": None, "head_dim": 16},
        "window-mha-tied": _MHA | {"sliding_window": 16, "tie_word_embeddings": True},
    },
    "qwen2": {
        "gqa": {},
        "mha-tied": _MHA | {"tie_word_embeddings": True},
        "windows": {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1},
        "yarn": _MQA | {"rope_parameters": _YARN},
    },
    "qwen3": {
        "gqa": {"head_dim": 16},
        "mha-tied-bias": _MHA | {"head_dim": 12, "tie_word_embeddings": True, "attention_bias": True},
        "layer_types": {"head_dim": 16, "use_sliding_window": True, "sliding_window": 6,
                        "layer_types": ["full_attention", "sliding_attention", "full_attention"]},
    },
    "qwen3_5_text": {
        "grouped": _DELTA,
        "tied-bias-theta": _DELTA | {"num_hidden_layers": 3, "linear_num_value_heads": 2, "linear_conv_kernel_dim": 3,
                                     "layer_types": ["linear_attention", "full_attention", "linear_attention"],
                                     "tie_word_embeddings": True, "attention_bias": True,
                                     "rope_parameters": {"rope_type": "default", "rope_theta": 500.0,
                                                         "partial_rotary_factor": 0.5, "mrope_section": [2, 1, 1]}},
    },
    "qwen3_5": {
        "text-part": {"text_config": _SIZES | _DELTA, "vision_config": _QWEN35_VISION, "tie_word_embeddings": False},
        "tied": {"text_config": _SIZES | _DELTA | {"tie_word_embeddings": True}, "vision_config": _QWEN35_VISION,
                 "tie_word_embeddings": True},
    },
    "qwen3_5_moe_text": {
        "grouped": _DELTA | _SHARED,
    },
    "qwen3_5_moe": {
        "text-part": {"text_config": _SIZES | _DELTA | _SHARED, "vision_config": _QWEN35_VISION, "tie_word_embeddings": False},
    },
    "qwen3_next": {
        "grouped": _DELTA | _SHARED,
        "mixed-layers-tied": _DELTA | _SHARED | {"linear_num_value_heads": 6, "mlp_only_layers": [0], "norm_topk_prob": False,
                                                 "tie_word_embeddings": True},
    },
    "qwen2_moe": {
        "normalised": _SHARED | {"norm_topk_prob": True},
        "mixed-layers-windows": _SHARED | _MHA | {"decoder_sparse_step": 2, "qkv_bias": False, "use_sliding_window": True,
                                                  "sliding_window": 8},
    },
    "olmo_hybrid": {
        "grouped": _MHA | _DELTA | {"head_dim": 12},
        "no-positions-bias": {"num_hidden_layers": 4, "linear_num_key_heads": 4, "linear_num_value_heads": 4,
                              "linear_allow_neg_eigval": False, "attention_bias": True,
                              "rope_parameters": {"rope_type": "default", "rope_theta": None}},
    },
    "lfm2": {
        "conv": {"layer_types": ["conv", "full_attention", "conv"]},
        "bias-untied": _MHA | {"layer_types": ["full_attention", "conv", "conv"], "conv_bias": True, "conv_L_cache": 4,
                               "block_auto_adjust_ff_dim": False, "tie_word_embeddings": False},
    },
    "lfm2_moe": {
        "bias": _LFM2_EXPERTS,
        "no-bias-scaled": _LFM2_EXPERTS | {"use_expert_bias": False, "norm_topk_prob": False, "routed_scaling_factor": 1.5,
                                           "num_dense_layers": 2},
    },
    "gemma": {
        "mqa": _MQA | {"head_dim": 16},
        "mha-untied": _MHA | {"head_dim": 12, "tie_word_embeddings": False},
    },
    "gemma2": {
        "caps-windows": {"head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 12, "attn_logit_softcapping": 2.0,
                         "final_logit_softcapping": 5.0, "num_hidden_layers": 4},
        "no-caps": {"head_dim": 12, "sliding_window": 64, "attn_logit_softcapping": None, "final_logit_softcapping": None},
        "mha-caps": _MHA | {"head_dim": 12, "sliding_window": 5, "attn_logit_softcapping": 5.0},
    },
    "gemma3_text": {
        "windows": {"head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 20, "num_hidden_layers": 4,
                    "layer_types": ["sliding_attention"] * 2 + ["full_attention", "sliding_attention"]},
        "linear": _by_layer_type(_LINEAR, {"rope_type": "default", "rope_theta": 100.0})
                  | {"head_dim": 16, "sliding_window": 8, "num_hidden_layers": 7},
        "mha-untied-cap": _MHA | {"head_dim": 12, "sliding_window": 100, "tie_word_embeddings": False,
                                  "final_logit_softcapping": 4.0},
    },
    "gemma3": {
        "text-part": {"text_config": _SIZES | {"head_dim": 16, "sliding_window": 8, "num_hidden_layers": 7},
                      "vision_config": {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                                        "num_attention_heads": 2, "image_size": 28, "patch_size": 14},
                      "mm_tokens_per_image": 4, "image_token_index": 95, "boi_token_index": 94, "eoi_token_index": 93},
    },
    "gemma4_text": {
        "31B": _GEMMA4_DENSE | {"hidden_size_per_layer_input": 0},
        "E2B": _GEMMA4_SMALL,
        "26B-A4B": _GEMMA4_EXPERTS,
        # Wider than what FlashAttention takes (256), and not a multiple of 8: on a GPU another kernel computes them.
        "wide-heads": _GEMMA4_DENSE | {"hidden_size_per_layer_input": 0, "global_head_dim": 260, "num_attention_heads": 2,
                                       "num_key_value_heads": 1},
        "untied-bias-mha": _GEMMA4 | _MHA | {"hidden_size_per_layer_input": 0, "tie_word_embeddings": False, "attention_bias": True}
                           | _by_layer_type({"rope_type": "proportional", "partial_rotary_factor": 0.6, "rope_theta": 500.0, "factor": 2.0},
                                            {"rope_type": "default", "rope_theta": 100.0}),
    },
    "gemma4": {
        "E2B": {"text_config": _SIZES | _GEMMA4_SMALL, "vision_config": _GEMMA4_VISION},
        "26B-A4B": {"text_config": _SIZES | _GEMMA4_EXPERTS | {"use_bidirectional_attention": "vision"},
                    "vision_config": _GEMMA4_VISION},
    },
    "gemma4_unified_text": {
        "12B": _GEMMA4_DENSE,
        "shared-keys": _GEMMA4 | {"num_kv_shared_layers": 2, "use_double_wide_mlp": True},
    },
    "gemma4_unified": {
        "12B": {"text_config": _SIZES | _GEMMA4_DENSE,
                "vision_config": {"patch_size": 4, "mm_embed_dim": 48, "mm_posemb_size": 8, "output_proj_dims": 48}},
    },
    "phi3": {
        "default": _MHA,
        "gqa-window-tied": {"sliding_window": 10, "tie_word_embeddings": True},
        "longrope": {"rope_parameters": _longrope(6), "original_max_position_embeddings": 24},
        "longrope-partial": {"rope_parameters": _longrope(4) | {"partial_rotary_factor": 0.67},
                             "original_max_position_embeddings": 24},
    },
    "olmo2": {
        "mha": _MHA,
        "gqa-tied-bias": {"tie_word_embeddings": True, "attention_bias": True},
    },
    "olmo3": {
        "windows": {"sliding_window": 8, "num_hidden_layers": 5},
        "yarn-mha": _by_layer_type(_YARN, {"rope_type": "default", "rope_theta": 300.0})
                    | _MHA | {"sliding_window": 6, "num_hidden_layers": 4},
    },
    "smollm3": {
        "nope": {"no_rope_layers": [1, 0, 1]},
        "interval-untied": {"no_rope_layer_interval": 2, "tie_word_embeddings": False},
        "windows": {"use_sliding_window": True, "sliding_window": 9, "no_rope_layer_interval": 2},
    },
    "granite": {
        "multipliers": {"embedding_multiplier": 3.0, "residual_multiplier": 0.4, "attention_multiplier": 0.5,
                        "logits_scaling": 2.5},
        "mha-tied-biases": _MHA | {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
    },
    "stablelm": {
        "mha": _MHA | {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}},
        "qkv_bias-parallel": {"use_qkv_bias": True, "use_parallel_residual": True,
                              "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 1.0}},
        "qk_layernorm-tied": {"qk_layernorm": True, "tie_word_embeddings": True,
                              "rope_parameters": {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}},
    },
    "starcoder2": {
        "gqa": {},
        "window-mha-untied": _MHA | {"sliding_window": 8, "tie_word_embeddings": False},
        "no-bias": {"use_bias": False},
    },
    "cohere2": {
        "windows": {"sliding_window": 8, "num_hidden_layers": 5, "logit_scale": 0.25},
        "untied-bias": _MHA | {"sliding_window": 30, "tie_word_embeddings": False, "attention_bias": True},
    },
    "glm4": {
        "partial": {"head_dim": 16},
        "mha-tied": _MHA | {"head_dim": 12, "attention_bias": False, "tie_word_embeddings": True,
                            "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 1.0}},
    },
    "glm4_moe": {
        "groups-bias-norms": _ROUTED | {"head_dim": 16, "attention_bias": True, "use_qk_norm": True},
        "no-groups-mha-tied": _ROUTED | _MHA | {"n_group": 1, "topk_group": 1, "head_dim": 12, "norm_topk_prob": False,
                                                "first_k_dense_replace": 0, "tie_word_embeddings": True},
    },
    "glm4_moe_lite": {
        "latent": _ROUTED | _LATENT | {"n_group": 1, "topk_group": 1},
        "groups-whole-queries": _ROUTED | _LATENT | {"q_lora_rank": None, "rope_interleave": False, "attention_bias": True,
                                                     "mlp_layer_types": ["sparse", "dense", "sparse"]},
    },
    "deepseek_v3": {
        "groups": _ROUTED | _LATENT | {"first_k_dense_replace": 1},
        "yarn-whole-queries": _ROUTED | _LATENT | {"first_k_dense_replace": 2, "q_lora_rank": None, "v_head_dim": 24,
                                                   "rope_parameters": _YARN | {"mscale": 1.0, "mscale_all_dim": 0.7}},
    },
    "deepseek_v2": {
        "greedy": _ROUTED | _LATENT | {"first_k_dense_replace": 1},
        "groups-yarn": _ROUTED | _LATENT | {"topk_method": "group_limited_greedy", "attention_bias": True,
                                            "rope_parameters": _YARN | {"mscale": 0.7, "mscale_all_dim": 0.7}},
    },
    "seed_oss": {
        "gqa": {"head_dim": 16},
        "mha-tied-out_bias": _MHA | {"head_dim": 12, "attention_out_bias": True, "mlp_bias": True,
                                     "tie_word_embeddings": True},
    },
    "phi": {
        "lm_head_bias": _MHA,
        "gqa": {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 1.0}},
    },
    "exaone4": {
        "windows": {"sliding_window": 8, "num_hidden_layers": 4, "layer_types": ["sliding_attention"] * 2
                    + ["full_attention", "sliding_attention"]},
        "no-windows-mha-tied": _MHA | {"sliding_window": None, "layer_types": ["full_attention"] * 3, "head_dim": 16,
                                       "tie_word_embeddings": True},
    },
    "ernie4_5": {
        "gqa": {"head_dim": 16, "tie_word_embeddings": False},
        "mha-tied-bias": _MHA | {"head_dim": 12, "use_bias": True},
    },
    "glm": {
        "partial": {"head_dim": 16},
        "mha-tied": _MHA | {"head_dim": 12, "attention_bias": False, "tie_word_embeddings": True,
                            "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 1.0}},
    },
    "arcee": {
        "gqa": {"rope_parameters": _YARN},
        "mha-tied-biases": _MHA | {"tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True},
    },
    "hunyuan_v1_dense": {
        "alpha": {"head_dim": 16, "rope_parameters": {"rope_type": "dynamic", "alpha": 50.0, "factor": 1.0,
                                                      "rope_theta": 500.0}},
        "mha-tied-bias": _MHA | {"head_dim": 12, "tie_word_embeddings": True, "attention_bias": True},
    },
    "granitemoehybrid": {
        "rope": {"num_local_experts": 0, "layer_types": ["full_attention"] * 3, "position_embedding_type": "rope",
                 "shared_intermediate_size": 56, "embedding_multiplier": 3.0, "residual_multiplier": 0.4,
                 "attention_multiplier": 0.5, "logits_scaling": 2.5, "mamba_n_heads": 4},
        "nope-mha-tied": _MHA | {"num_local_experts": 0, "layer_types": ["full_attention"] * 3, "mamba_n_heads": 4,
                                 "shared_intermediate_size": 64, "tie_word_embeddings": True, "attention_multiplier": 0.3},
        "mamba-experts": _GRANITE | {"num_local_experts": 5, "num_experts_per_tok": 2, "residual_multiplier": 0.4,
                                     "attention_multiplier": 0.5, "embedding_multiplier": 3.0},
        "mamba-dense-rope": _GRANITE | {"num_local_experts": 0, "mamba_n_groups": 1, "mamba_n_heads": 12, "mamba_d_head": 8,
                                        "mamba_proj_bias": True, "mamba_conv_bias": False, "position_embedding_type": "rope",
                                        "time_step_limit": [0.3, 0.9], "attention_multiplier": 0.3},
    },
    "falcon_h1": {
        "gate-alone": _FALCON,
        "norm-after-gate-biases": _FALCON | _MHA | {"mamba_rms_norm": True, "mamba_norm_before_gate": False, "projectors_bias": True,
                                                    "attention_bias": True, "mlp_bias": True, "mamba_proj_bias": True},
        "norm-before-gate-tied": _FALCON | {"mamba_rms_norm": True, "mamba_n_groups": 1, "mamba_n_heads": 12, "mamba_d_head": 4,
                                            "mamba_conv_bias": False, "mamba_d_conv": 3, "tie_word_embeddings": True,
                                            "time_step_limit": [0.3, 0.9]},
    },
    "nemotron_h": {
        "experts": _NEMOTRON,
        "latent-biases": _NEMOTRON | _MHA | {"mamba_num_heads": 12, "n_groups": 1, "conv_kernel": 3, "use_conv_bias": False,
                                             "use_bias": True, "mlp_bias": True, "moe_latent_size": 20, "time_step_min": 0.5,
                                             "norm_topk_prob": False},
    },
    "internlm3": {
        "gqa": {"head_dim": 16},
        "mha-tied-biases": _MHA | {"head_dim": 20, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    },
    "ministral3": {
        "scaled-queries": {"head_dim": 16, "rope_parameters": _SCALED_QUERIES},
        "window-mha-tied": _MHA | {"head_dim": 12, "sliding_window": 9, "tie_word_embeddings": True,
                                   "rope_parameters": _SCALED_QUERIES | {"llama_4_scaling_beta": 0.1}},
    },
    "mistral3": {
        "ministral3": _text("ministral3", _PIXTRAL, head_dim=16, rope_parameters=_SCALED_QUERIES)
                      | {"tie_word_embeddings": False},
        "mistral-tied": _text("mistral", _PIXTRAL, sliding_window=None),
    },
    "qwen2_vl": {
        "text-part": _text("qwen2_vl_text", {"depth": 1, "embed_dim": 16, "num_heads": 2, "hidden_size": 48},
                           rope_parameters=_MROPE),
    },
    "qwen2_5_vl": {
        "text-part": _text("qwen2_5_vl_text", _QWEN_VISION | {"out_hidden_size": 48, "fullatt_block_indexes": [0]},
                           rope_parameters=_MROPE),
        "tied-windows": _text("qwen2_5_vl_text", _QWEN_VISION | {"out_hidden_size": 48, "fullatt_block_indexes": [0]},
                              rope_parameters=_MROPE, use_sliding_window=True, sliding_window=9, max_window_layers=1)
                        | {"tie_word_embeddings": True},
    },
    "qwen3_vl": {
        "text-part": _text("qwen3_vl_text", _QWEN_VISION | {"out_hidden_size": 48, "num_position_embeddings": 16,
                                                           "deepstack_visual_indexes": [0]}, head_dim=16,
                           rope_parameters=_MROPE | {"mrope_section": [4, 2, 2], "mrope_interleaved": True}),
    },
    "mixtral": {
        "gqa": _EXPERTS | {"num_local_experts": 5},
        "window-mha-tied": _EXPERTS | _MHA | {"num_local_experts": 4, "sliding_window": 8, "tie_word_embeddings": True},
    },
    "qwen3_moe": {
        "normalised": _EXPERTS | {"num_experts": 6, "moe_intermediate_size": 24, "head_dim": 16, "norm_topk_prob": True},
        "mixed-layers": _EXPERTS | {"num_experts": 4, "moe_intermediate_size": 24, "decoder_sparse_step": 2,
                                    "num_hidden_layers": 4, "mlp_only_layers": [3], "head_dim": 12},
        "window-mha-bias": _EXPERTS | _MHA | {"num_experts": 4, "moe_intermediate_size": 24, "head_dim": 12,
                                              "use_sliding_window": True, "sliding_window": 8, "attention_bias": True},
    },
    "olmoe": {
        "mha": _EXPERTS | _MHA | {"num_experts": 6},
        "gqa-clip-normalised": _EXPERTS | {"num_experts": 4, "clip_qkv": 1.0, "norm_topk_prob": True},
    },
    "gpt_oss": {
        "sinks-windows": _EXPERTS | {"hidden_size": 64, "head_dim": 16, "num_local_experts": 5, "sliding_window": 8,
                                     "rope_parameters": _YARN | {"truncate": False}},
        "mha-tied": _EXPERTS | _MHA | {"hidden_size": 64, "head_dim": 16, "num_local_experts": 4, "sliding_window": 64,
                                       "tie_word_embeddings": True,
                                       "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    },
}


def cases():
    return [(family, name) for family, configurations in FAMILIES.items() for name in configurations]


def make_config(family, name, **more):
    keys = FAMILIES[family][name] | more
    return AutoConfig.for_model(family, **(keys if "text_config" in keys else _SIZES | keys))


def _randomise(model, family, seed):
    """Weights are drawn wide, so that attention is far from uniform and losses far from log V."""
    generator = torch.Generator().manual_seed(seed)
    hidden = model.config.get_text_config().hidden_size
    # these keep a norm's weight - 1
    minus_one = family.startswith(("gemma", "qwen3_5", "qwen3_next")) and not family.startswith("gemma4")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("sinks"):
                weight.normal_(1.0, 1.0, generator=generator)
            elif name.endswith("A_log"):
                weight.normal_(-2.5, 1.0, generator=generator)      # from fast to slow decay
            elif name.endswith(("router.scale", "per_expert_scale")):
                weight.uniform_(0.5, 1.5, generator=generator)
            elif "conv" in name:
                weight.normal_(0.0, 0.6, generator=generator)
            elif weight.dim() == 1 and name.endswith("weight"):
                low = -0.5 if minus_one and "linear_attn.norm" not in name else 0.5
                weight.uniform_(low, low + 1, generator=generator)
            elif weight.dim() == 1 or name.endswith("bias"):
                weight.normal_(0.0, 0.2, generator=generator)
            else:
                weight.normal_(0.0, 1.6 / math.sqrt(hidden), generator=generator)
        for name, buffer in model.named_buffers():
            if name.endswith(("expert_bias", "e_score_correction_bias")):
                buffer.normal_(0.0, 0.3, generator=generator)
            elif name.endswith("layer_scalar"):
                buffer.uniform_(0.5, 1.5, generator=generator)
        _scale_queries(model)


def _scale_queries(model):
    """Where attention takes the scores as they are (Gemma 4, Granite), queries are as much smaller as it scales elsewhere: what
    training does there. Without it attention is so sharp that it amplifies roundings."""
    for attention in model.modules():
        if getattr(attention, "scaling", None) == 1.0:
            for weight in (attention.q_norm if hasattr(attention, "q_norm") else attention.q_proj).parameters():
                weight /= math.sqrt(attention.head_dim)


def make_model(folder, family, name, seed=0, dtype=torch.float32, config=None, **save):
    """Saves the model. Returns it in eval mode. config: keys beside those of the configuration."""
    made = make_config(family, name, **(config or {}))
    kind = AutoModelForImageTextToText if hasattr(made, "vision_config") else AutoModelForCausalLM
    model = kind.from_config(made).eval()
    _randomise(model, family, seed)
    model.to(dtype).save_pretrained(folder, **save)
    return model

