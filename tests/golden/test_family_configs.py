"""config.json of every family: defaults, each key of transformers' config classes, the styles of transformers 4 and 5."""
import copy
import json

import pytest
from family_models import FAMILIES, WRAPPERS, cases, make_config
from logits import Window
from transformers import AutoConfig

# Keys that change nothing that air computes; docs/families.md lists them. Every other key is used or refused.
HARMLESS = {
    "model_type", "architectures", "_name_or_path", "transformers_version", "dtype", "bos_token_id", "eos_token_id", "pad_token_id",
    "use_cache", "return_dict", "output_hidden_states", "output_attentions", "chunk_size_feed_forward",
    "linear_a_log_min", "linear_a_log_max", "linear_dt_min", "linear_dt_max", "linear_dt_init_floor",
    "initializer_range", "attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop", "embedding_dropout",
    "residual_dropout", "hidden_dropout", "output_router_logits", "router_aux_loss_coef", "router_jitter_noise",
    "id2label", "label2id", "problem_type", "pretraining_tp", "vision_config", "mm_tokens_per_image", "boi_token_index",
    "eoi_token_index", "image_token_index", "image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id",
    "audio_config", "audio_token_id", "boi_token_id", "eoi_token_id", "boa_token_id", "eoa_token_index",
}
# For decoding to an end, how weights are drawn, chunks and caches of a recurrence.
HARMLESS_OF = {
    "hunyuan_v1_dense": {"eod_token_id"},
    "falcon_h1": {"mamba_chunk_size", "num_logits_to_keep"},
    "granitemoehybrid": {"mamba_chunk_size"},
    "nemotron_h": {"chunk_size", "expand", "mamba_ssm_cache_dtype", "moe_shared_expert_overlap", "mtp_layers_block_type",
                   "num_logits_to_keep", "num_nextn_predict_layers", "rescale_prenorm_residual", "residual_in_fp32",
                   "time_step_floor", "time_step_max", "use_mamba_kernels"},
}
WITH_TEXT_CONFIG = WRAPPERS | {"gemma3", "mistral3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl"}
_GEMMA4_EXPERTS = {"enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 8}
# Used only beside another key: (family, key) -> that key and value.
TOGETHER = {
    ("qwen2", "max_window_layers"): {"use_sliding_window": True, "sliding_window": 5},
    ("qwen2", "sliding_window"): {"use_sliding_window": True, "max_window_layers": 1},
    ("qwen2", "use_sliding_window"): {"max_window_layers": 1, "sliding_window": 5},
    ("qwen3", "max_window_layers"): {"use_sliding_window": True, "sliding_window": 5},
    ("qwen3", "sliding_window"): {"use_sliding_window": True, "max_window_layers": 1},
    ("qwen3", "use_sliding_window"): {"max_window_layers": 1, "sliding_window": 5},
    ("qwen3_moe", "sliding_window"): {"use_sliding_window": True},
    ("qwen3_moe", "use_sliding_window"): {"sliding_window": 5},
    ("qwen2_moe", "max_window_layers"): {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 4},
    ("qwen2_moe", "sliding_window"): {"use_sliding_window": True, "sliding_window": 5},
    ("qwen2_moe", "use_sliding_window"): {"sliding_window": 5},
    ("gemma4_text", "num_experts"): _GEMMA4_EXPERTS,
    ("gemma4_text", "top_k_experts"): _GEMMA4_EXPERTS,
    ("gemma4_text", "moe_intermediate_size"): _GEMMA4_EXPERTS,
    ("gemma4_text", "use_double_wide_mlp"): {"num_kv_shared_layers": 6},
    ("gemma4_text", "num_global_key_value_heads"): {"attention_k_eq_v": True},
    ("gemma4_unified_text", "use_double_wide_mlp"): {"num_kv_shared_layers": 6},
    ("gemma4_unified_text", "num_global_key_value_heads"): {"attention_k_eq_v": True},
    ("deepseek_v2", "n_group"): {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2},
    ("deepseek_v2", "topk_group"): {"topk_method": "group_limited_greedy", "n_group": 4, "topk_group": 2},
    ("falcon_h1", "mamba_expand"): {"mamba_d_ssm": None, "mamba_d_head": "auto"},
    ("smollm3", "sliding_window"): {"use_sliding_window": True},
    ("smollm3", "use_sliding_window"): {"sliding_window": 5},
    ("phi3", "original_max_position_embeddings"): {"rope_parameters": {
        "rope_type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}},
}
# Values that a number one higher or a flipped switch does not give.
OTHER_VALUES = {
    "hidden_act": "gelu_new", "hidden_activation": "silu", "rope_parameters": {"rope_type": "linear", "factor": 3.0},
    "num_attention_heads": 4, "num_key_value_heads": 1, "no_rope_layers": [0] * 36, "mlp_only_layers": [0],
    "clip_qkv": 2.0, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 3.0, "sliding_window": 77,
    "per_layer_config": [{}], "norm_eps": 0.25, "full_attn_idxs": [1], "rms_norm_eps": 0.25, "layer_norm_eps": 0.25, "norm_epsilon": 0.25,
}
OTHER_VALUES_OF = {
    ("intermediate_size", "lfm2"): 9000,        # rounded to a multiple of 256
    ("hidden_act", "phi"): "silu", ("hidden_act", "gemma"): "silu", ("hidden_act", "starcoder2"): "silu",
    ("rope_parameters", "phi3"): {"rope_type": "default", "rope_theta": 77.0},
    ("rope_parameters", "ministral3"): {"rope_type": "yarn", "factor": 3.0, "original_max_position_embeddings": 4096,
                                        "llama_4_scaling_beta": 0.2},
    **{("rope_parameters", family): {"full_attention": {"rope_type": "linear", "factor": 3.0}}
       for family in ("gemma3_text", "olmo3")},
    **{("rope_parameters", family): {"full_attention": {"rope_type": "proportional", "rope_theta": 7.0},
                                     "sliding_attention": {"rope_type": "default"}}
       for family in ("gemma4_text", "gemma4_unified_text")},
    ("num_experts", "gemma4_text"): 6,
}


@pytest.fixture(scope="module")
def window():
    window = Window()
    yield window
    window.close()


def plain(config):
    """As json.dump would write it."""
    return json.loads(config.to_json_string(use_diff=False))


# What a config class has no usable default for.
NEEDED = {"mistral3": {"text_config": {"model_type": "mistral"}},
          "granitemoehybrid": {"layer_types": ["linear_attention"] * 31 + ["full_attention"]},
          "deepseek_v2": {"num_experts_per_tok": 6},
          "glm4_moe": {"head_dim": 128},
          "lfm2_moe": {"layer_types": ["conv", "conv", "full_attention", "conv"] * 8}}


def defaults(family):
    """Every key of the config class, at its default."""
    return plain(AutoConfig.for_model(family, **NEEDED.get(family, {})))


def understood(window, config):
    answer = window.config(config)
    assert isinstance(answer, dict), answer
    return answer


@pytest.mark.parametrize("family", FAMILIES)
def test_a_missing_key_has_the_default_of_the_config_class(family, window):
    everything = understood(window, defaults(family))
    least = {"model_type": family} | ({"text_config": {}} if family in WITH_TEXT_CONFIG else {}) | NEEDED.get(family, {})
    assert understood(window, least) == everything


def other_value(family, key, value, config):
    if (key, family) in OTHER_VALUES_OF:
        return OTHER_VALUES_OF[key, family]
    if key in OTHER_VALUES:
        return OTHER_VALUES[key]
    for other in ("linear_attention", "conv"):
        if key == "layer_types" and (other in value or family == "lfm2" and other == "conv"):
            return [other] + ["full_attention"] * (len(value) - 1)
    if key == "layer_types":
        return ["sliding_attention" if kind == "full_attention" else "full_attention" for kind in value]
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        # the rotated part of a head must stay even
        return value + {"hidden_size": 8 * config["num_attention_heads"], "head_dim": 8, "global_head_dim": 8}.get(key, 1)
    return 1


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in WITH_TEXT_CONFIG])
def test_every_key_is_used_or_refused_or_known_to_be_harmless(family, window):
    config = defaults(family)
    if config.pop("per_layer_config", None):        # as the hub's files say it
        config |= {"global_head_dim": 512, "num_global_key_value_heads": None}
    silent, wrong = [], []
    for key, value in config.items():
        if key in HARMLESS | HARMLESS_OF.get(family, set()):
            continue
        before = config | TOGETHER.get((family, key), {})
        if key == "layer_types" and "sliding_window" in config:
            before["sliding_window"] = 9        # for layers that get one
            if "use_sliding_window" in before:
                before["use_sliding_window"] = True
        elif "layer_types" in before and key != "num_hidden_layers" and family not in NEEDED:
            before.pop("layer_types")           # it would override what the key says
        if key in ("num_hidden_layers", "no_rope_layer_interval", "use_sliding_window") and family not in NEEDED:
            before = {k: v for k, v in before.items() if k not in ("layer_types", "no_rope_layers")}
        if key == "num_hidden_layers":
            before[key] = value
        after = before | {key: other_value(family, key, value, config)}
        assert after[key] != before.get(key, value), f"{key}: the test needs another value"
        answer = window.config(after)
        if isinstance(answer, str):
            if key not in answer and not (key == "rope_parameters" and "rope" in answer):
                wrong.append((key, answer))
        elif answer == understood(window, before):
            silent.append(key)
    assert not wrong and not silent, f"error without the key's name: {wrong}; nothing changes: {silent}"


@pytest.mark.parametrize("family", FAMILIES)
def test_harmless_keys_change_nothing(family, window):
    config = defaults(family)
    expected = understood(window, config)
    for key in (HARMLESS | HARMLESS_OF.get(family, set())) & config.keys() - {"model_type"}:
        for value in ("something", 123, None):
            assert understood(window, config | {key: value}) == expected, key


def as_transformers_4(config):
    """The keys that transformers 4 wrote for the same model."""
    old = copy.deepcopy(config)
    old["torch_dtype"] = old.pop("dtype", None)
    if "text_config" in old:
        return old | {"text_config": as_transformers_4(old["text_config"])}
    if "rope_parameters" not in old:
        return old
    rope = old.pop("rope_parameters")
    if "full_attention" in rope:
        full, sliding = rope["full_attention"], rope["sliding_attention"]
        old["rope_theta"] = full.pop("rope_theta")
        if old["model_type"].startswith("gemma3"):
            old["rope_local_base_freq"] = sliding["rope_theta"]
        rope = full
    else:
        old["rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        old["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    if rope["rope_type"] == "default":
        old["rope_scaling"] = None
    else:
        rope["type"] = rope.pop("rope_type")
        old["rope_scaling"] = rope
    return old


@pytest.mark.parametrize("family,name", cases())
def test_transformers_4_wrote_the_same_in_other_keys(family, name, window):
    if (family, name) == ("olmo3", "yarn-mha"):
        pytest.skip("transformers 4 had one rope_theta for all layers")
    if (family, name) == ("gpt_oss", "mha-tied"):
        pytest.skip("a rope_scaling of null is the family's YaRN, here and in transformers")
    if family.startswith("gemma4") or (family, name) == ("olmo_hybrid", "no-positions-bias"):
        pytest.skip("transformers 4 does not have this type")
    config = plain(make_config(family, name))
    assert understood(window, as_transformers_4(config)) == understood(window, config)


@pytest.mark.parametrize("family,name", cases())
def test_what_save_pretrained_leaves_out_is_the_default(family, name, window):
    config = make_config(family, name)
    saved = json.loads(config.to_json_string())     # only what differs from the defaults
    assert understood(window, saved) == understood(window, plain(config))


@pytest.mark.parametrize("change,message", [
    ({"model_type": "llamma"}, 'unknown model_type "llamma"'),
    ({"rope_parameters": {"rope_type": "spiral"}}, 'unknown rope_type "spiral"'),
    ({"rope_scaling": {"type": "linear"}}, 'no key "factor"'),
    ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "twist": 3}}, 'unknown config key "twist"'),
    ({"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "linear", "factor": 3.0}}, "differ"),
    ({"rope_parameters": {"rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}}, '"short_factor" has 1 numbers'),
    ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    ({"hidden_act": "mish"}, 'unknown hidden_act "mish"'),
    ({"secret_multiplier": 2}, 'unknown config key "secret_multiplier"'),
    ({"num_key_value_heads": 5}, "not a multiple"),
    ({"num_hidden_layers": -1}, '"num_hidden_layers" must be positive'),
    ({"num_hidden_layers": 10**12}, "num_hidden_layers"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantization_config: gptq"),
    ({"quantization_config": {"quant_method": "mxfp4"}}, "quantization_config: mxfp4"),
    ({"pruned_heads": {"1": [0]}}, "pruned_heads"),
])
def test_unknown_means_error(change, message, window):
    answer = window.config({"model_type": "llama"} | change)
    assert isinstance(answer, str) and message in answer


@pytest.mark.parametrize("family,change,message", [
    ("mistral", {"layer_types": ["sliding_attention"] * 32}, "layer_types"),
    ("qwen2", {"layer_types": ["sliding_attention"] * 32}, 'no "sliding_window"'),
    ("qwen3", {"layer_types": ["linear_attention"] * 32}, 'unknown layer type "linear_attention"'),
    ("gemma2", {"layer_types": ["full_attention"]}, "layer_types has 1 entries"),
    ("gemma3_text", {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
    ("gemma3_text", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
    ("gemma3_text", {"rope_parameters": {"rope_type": "default"}}, 'unknown config key "rope_type"'),
    ("gemma3_text", {"per_layer_config": {"5": {"head_dim": 64}}}, "per_layer_config"),
    ("gemma4_text", {"per_layer_config": {"30": {"head_dim": 64}}}, 'the key "30"'),
    ("gemma4_text", {"per_layer_config": {"5": {"sliding_window": 64}}}, 'unknown config key "sliding_window"'),
    ("gemma4_text", {"per_layer_config": {"5": {"head_dim": 64}}}, 'layers of type "full_attention" differ in head_dim'),
    ("gemma4_text", {"use_bidirectional_attention": "all"}, "use_bidirectional_attention"),
    ("gemma4_text", {"num_kv_shared_layers": 30}, "num_kv_shared_layers"),
    ("gemma4_text", {"num_kv_shared_layers": 25}, "num_kv_shared_layers"),
    ("gemma4_text", {"num_kv_shared_layers": 31}, "num_kv_shared_layers"),
    ("gemma4_text", {"enable_moe_block": True, "num_experts": 4}, "top_k_experts"),
    ("gemma4_text", {"vocab_size_per_layer_input": 100}, "vocab_size_per_layer_input"),
    ("gemma4_text", {"rope_parameters": {"full_attention": {"rope_type": "default"}}}, 'no "sliding_attention"'),
    ("gemma4_text", {"rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 2.0, "partial_rotary_factor": 0.25},
                                         "sliding_attention": {"rope_type": "default"}}}, "partial_rotary_factor"),
    ("llama", {"rope_parameters": {"rope_type": "proportional"}}, 'unknown rope_type "proportional"'),
    ("gemma4_unified_text", {"enable_moe_block": True}, "enable_moe_block"),
    ("gemma4_unified_text", {"hidden_size_per_layer_input": 256}, "hidden_size_per_layer_input"),
    ("deepseek_v3", {"scoring_func": "softmax"}, "scoring_func"),
    ("deepseek_v3", {"topk_method": "greedy"}, "topk_method"),
    ("deepseek_v3", {"num_key_value_heads": 8}, "num_key_value_heads"),
    ("deepseek_v3", {"n_group": 7}, "n_group"),
    ("deepseek_v3", {"n_group": 8, "topk_group": 9}, "topk_group"),
    ("deepseek_v2", {"num_experts_per_tok": 6, "topk_method": "best"}, 'unknown topk_method "best"'),
    ("deepseek_v2", {"num_experts_per_tok": 6, "topk_method": "group_limited_greedy"}, "n_group"),
    ("deepseek_v2", {}, "num_experts_per_tok"),
    ("glm4_moe_lite", {"mlp_layer_types": ["dense", "thick"] + ["sparse"] * 45}, 'unknown type "thick"'),
    ("glm4_moe_lite", {"first_k_dense_replace": 2}, "first_k_dense_replace"),
    ("glm4_moe", {"num_nextn_predict_layers": -1}, "num_nextn_predict_layers"),
    ("phi3", {"rope_scaling": {"type": "linear", "factor": 2.0}}, 'rope_type "linear"'),
    ("stablelm", {"head_dim": 7}, "head_dim"),
    ("phi", {"qk_layernorm": True}, "qk_layernorm"),
    ("gpt_oss", {"quantization_config": {"quant_method": "gptq"}}, "quantization_config: gptq"),
    ("mixtral", {"num_experts_per_tok": 9}, "num_experts_per_tok"),
    ("qwen3_5_text", {"num_hidden_layers": 2, "layer_types": ["linear_attention"] * 2}, "no layer has softmax attention"),
    ("qwen3_5_text", {"num_hidden_layers": 1, "layer_types": ["sliding_attention"]}, 'unknown layer type "sliding_attention"'),
    ("qwen3_5_text", {"num_hidden_layers": 1, "layer_types": ["full_attention"] * 2}, "layer_types has 2 entries"),
    ("qwen3_5_text", {"linear_num_value_heads": 24}, "not a multiple of linear_num_key_heads"),
    ("qwen3_5_text", {"attn_output_gate": False}, "attn_output_gate"),
    ("qwen3_5_text", {"mlp_only_layers": [1]}, "mlp_only_layers"),
    ("qwen3_5", {}, 'no key "text_config"'),
    ("qwen3_5_moe_text", {"norm_topk_prob": False}, "norm_topk_prob"),
    ("qwen3_next", {"num_experts_per_tok": 600}, "num_experts_per_tok"),
    ("lfm2_moe", {}, 'no key "layer_types"'),
    ("nemotron_h", {"layers_block_type": ["mlp", "linear_attention"]}, "no layer has softmax attention"),
    ("nemotron_h", {"layers_block_type": ["full_attention", "lstm"]}, 'unknown layer type "lstm"'),
    ("nemotron_h", {"hybrid_override_pattern": "M*X"}, 'unknown letter "X"'),
    ("nemotron_h", {"hybrid_override_pattern": "M*", "num_hidden_layers": 3}, "num_hidden_layers is 3"),
    ("nemotron_h", {"n_groups": 3}, "not a multiple of n_groups"),
    ("nemotron_h", {"time_step_limit": [0.0, 3.0]}, "time_step_limit"),
    ("nemotron_h", {"n_shared_experts": 2}, "n_shared_experts"),
    ("falcon_h1", {"ssm_multipliers": [1.0] * 4}, '"ssm_multipliers" has 4 numbers'),
    ("falcon_h1", {"mamba_d_head": 9}, "mamba_d_head 9"),
    ("falcon_h1", {"time_step_limit": [0.0, "much"]}, "two numbers are expected"),
    ("granitemoehybrid", {}, "no layer has softmax attention"),
    ("granitemoehybrid", {"num_hidden_layers": 1, "layer_types": ["conv"]}, 'unknown layer type "conv"'),
    ("granitemoehybrid", {"num_hidden_layers": 1, "layer_types": ["mamba", "attention"]}, "layer_types has 2 entries"),
    ("lfm2", {"num_hidden_layers": 2, "full_attn_idxs": []}, "no layer has softmax attention"),
    ("qwen3_5", {"text_config": {"model_type": "qwen3_5_moe_text"}}, "qwen3_5_moe_text"),
    ("qwen3", {"layer_types": ["linear_attention"] * 32}, 'unknown layer type "linear_attention"'),
])
def test_what_a_family_can_not_be(family, change, message, window):
    answer = window.config({"model_type": family} | change)
    assert isinstance(answer, str) and message in answer


# Keys as published with well-known models, shortened to what is special.
PUBLISHED = {
    "a longrope of 4.x with the short name": (
        {"model_type": "phi3", "num_attention_heads": 32, "hidden_size": 3072, "max_position_embeddings": 131072,
         "original_max_position_embeddings": 4096, "sliding_window": 262144, "attention_bias": False,
         "rope_scaling": {"type": "su", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}},
        lambda c: c["ropes"][0]["rope_type"] == "longrope" and c["layers"][0]["window"] == 262144),
    "gpt_oss in MXFP4": (
        {"model_type": "gpt_oss", "experts_per_token": 4, "num_experts_per_tok": 4, "initial_context_length": 4096,
         "num_local_experts": 32, "num_hidden_layers": 24, "swiglu_limit": 7.0, "rope_theta": 150000,
         "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0, "original_max_position_embeddings": 4096,
                          "rope_type": "yarn", "truncate": False},
         "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}},
        lambda c: c["experts"]["num_experts"] == 32 and c["ropes"][0]["truncate"] is False),
    "a multimodal Gemma 3 with little in it": (
        {"model_type": "gemma3", "boi_token_index": 255999, "mm_tokens_per_image": 256, "vision_config": {"image_size": 896},
         "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "sliding_window": 1024,
                         "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}},
        lambda c: c["ropes"][0]["factor"] == 8.0 and c["ropes"][1]["rope_type"] == "default"
        and [layer["window"] for layer in c["layers"][4:7]] == [1024, None, 1024] and c["vocab_size"] == 262208),
    "Gemma 4 31B": (
        {"model_type": "gemma4", "boi_token_id": 255999, "eoi_token_id": 258882, "image_token_id": 258880, "video_token_id": 258884,
         "vision_soft_tokens_per_image": 280, "audio_config": None, "vision_config": {"model_type": "gemma4_vision"},
         "text_config": {"model_type": "gemma4_text", "hidden_size": 5376, "intermediate_size": 21504, "num_hidden_layers": 60,
                         "num_attention_heads": 32, "num_key_value_heads": 16, "num_global_key_value_heads": 4, "head_dim": 256,
                         "global_head_dim": 512, "attention_k_eq_v": True, "final_logit_softcapping": 30.0, "sliding_window": 1024,
                         "hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 262144, "enable_moe_block": False,
                         "num_experts": None, "use_bidirectional_attention": "vision", "num_kv_shared_layers": 0,
                         "rope_parameters": {"full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1000000.0,
                                                                "rope_type": "proportional"},
                                             "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}}}},
        lambda c: [(layer["head_dim"], layer["num_key_value_heads"], layer["keys_as_values"], layer["window"])
                   for layer in c["layers"][4:6]] == [(256, 16, False, 1024), (512, 4, True, None)]
        and c["ropes"][0]["turning_pairs"] == 64 and c["ropes"][0]["rotary_dim"] == 512 and c["tie_word_embeddings"]),
    "Gemma 4 E2B": (
        {"model_type": "gemma4_text", "hidden_size": 1536, "num_hidden_layers": 35, "num_attention_heads": 8, "num_key_value_heads": 1,
         "num_kv_shared_layers": 20, "use_double_wide_mlp": True, "intermediate_size": 6144,
         "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7},
        lambda c: [layer["kv_layer"] for layer in c["layers"][13:20]] == [None, None, 13, 13, 13, 13, 14]
        and [layer["mlp_factor"] for layer in c["layers"][14:16]] == [1, 2] and c["per_layer_input"]["size"] == 256),
    "GLM-4.7-Flash": (
        {"model_type": "glm4_moe_lite", "attention_bias": False, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
         "topk_method": "noaux_tc", "norm_topk_prob": True, "num_nextn_predict_layers": 1, "q_lora_rank": 768, "kv_lora_rank": 512,
         "qk_nope_head_dim": 192, "qk_rope_head_dim": 64, "v_head_dim": 256, "routed_scaling_factor": 1.8, "rope_theta": 1000000,
         "rope_scaling": None, "partial_rotary_factor": 1.0, "num_hidden_layers": 47},
        lambda c: c["layers"][46]["head_dim"] == 256 and c["ropes"][0]["rotary_dim"] == 64 and c["num_mtp_layers"] == 1
        and [layer["experts"] for layer in c["layers"][:2]] == [False, True]),
    "DeepSeek-V3": (
        {"model_type": "deepseek_v3", "aux_loss_alpha": 0.001, "ep_size": 1, "moe_layer_freq": 1, "n_group": 8, "topk_group": 4,
         "scoring_func": "sigmoid", "seq_aux": True, "topk_method": "noaux_tc", "num_nextn_predict_layers": 1,
         "max_position_embeddings": 163840, "rope_theta": 10000,
         "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
                          "original_max_position_embeddings": 4096, "type": "yarn"},
         "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": [128, 128]}},
        lambda c: abs(c["attention_scale"] - 192**-0.5 * 1.3688879454113937**2) < 1e-9 and c["ropes"][0]["attention_factor"] == 1.0
        and c["ropes"][0]["interleaved"] and c["layers"][3]["v_head_dim"] == 128),
    "a small Qwen3.5": (
        {"model_type": "qwen3_5", "image_token_id": 248056, "video_token_id": 248057, "vision_start_token_id": 248053,
         "vision_end_token_id": 248054, "tie_word_embeddings": True, "vision_config": {"depth": 12},
         "text_config": {"model_type": "qwen3_5_text", "attention_bias": False, "attn_output_gate": True, "dtype": "bfloat16",
                         "full_attention_interval": 4, "head_dim": 256, "hidden_size": 1024, "intermediate_size": 3584,
                         "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_num_key_heads": 16,
                         "linear_num_value_heads": 16, "linear_value_head_dim": 128, "mamba_ssm_dtype": "float32",
                         "mlp_only_layers": [], "mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": False,
                         "num_attention_heads": 8, "num_key_value_heads": 2, "num_hidden_layers": 24,
                         "partial_rotary_factor": 0.25, "tie_word_embeddings": True, "vocab_size": 248320,
                         "rope_parameters": {"mrope_interleaved": True, "mrope_section": [11, 11, 10], "partial_rotary_factor": 0.25,
                                             "rope_theta": 10000000, "rope_type": "default"}}},
        lambda c: c["tie_word_embeddings"] and c["ropes"][0]["rotary_dim"] == 64
        and [i for i, layer in enumerate(c["layers"]) if layer["mixer"] == "attention"] == [3, 7, 11, 15, 19, 23]),
    "an LFM2 of its first code": (
        {"model_type": "lfm2", "block_auto_adjust_ff_dim": True, "block_dim": 1024, "block_ff_dim": 6656,
         "block_ffn_dim_multiplier": 1.0, "block_mlp_init_scale": 1.0, "block_multiple_of": 256, "block_norm_eps": 1e-05,
         "block_out_init_scale": 1.0, "block_use_swiglu": True, "block_use_xavier_init": True, "conv_L_cache": 3,
         "conv_bias": False, "conv_dim": 1024, "conv_dim_out": 1024, "conv_use_xavier_init": True,
         "full_attn_idxs": [2, 5, 8, 10, 12, 14], "hidden_size": 1024, "norm_eps": 1e-05, "num_attention_heads": 16,
         "num_heads": 16, "num_hidden_layers": 16, "num_key_value_heads": 8, "rope_theta": 1000000.0, "tie_embedding": True,
         "use_pos_enc": True, "vocab_size": 65536},
        lambda c: c["intermediate_size"] == 4608 and c["tie_word_embeddings"]
        and [i for i, layer in enumerate(c["layers"]) if layer["mixer"] == "attention"] == [2, 5, 8, 10, 12, 14]),
    "Nemotron 3 Nano": (
        {"model_type": "nemotron_h", "attention_bias": False, "chunk_size": 128, "conv_kernel": 4, "expand": 2, "head_dim": 128,
         "hidden_size": 2688, "hybrid_override_pattern": "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
         "intermediate_size": 1856, "mamba_head_dim": 64, "mamba_hidden_act": "silu", "mamba_num_heads": 64,
         "mamba_proj_bias": False, "mlp_bias": False, "mlp_hidden_act": "relu2", "moe_intermediate_size": 1856,
         "moe_shared_expert_intermediate_size": 3712, "n_group": 1, "n_groups": 8, "n_routed_experts": 128, "n_shared_experts": 1,
         "norm_topk_prob": True, "num_attention_heads": 32, "num_experts_per_tok": 6, "num_hidden_layers": 52,
         "num_key_value_heads": 2, "num_logits_to_keep": 1, "partial_rotary_factor": 1.0, "rescale_prenorm_residual": True,
         "residual_in_fp32": False, "rope_theta": 10000, "routed_scaling_factor": 2.5, "sliding_window": None, "ssm_state_size": 128,
         "time_step_floor": 0.0001, "time_step_max": 0.1, "time_step_min": 0.001, "topk_group": 1, "use_bias": False,
         "use_conv_bias": True, "use_mamba_kernels": True, "vocab_size": 131072},
        lambda c: [i for i, layer in enumerate(c["layers"]) if layer["mixer"] == "attention"] == [5, 12, 19, 26, 33, 42]
        and c["layers"][0]["mixer"] == "mamba2" and not c["layers"][0]["mlp"] and c["layers"][1]["experts"] and c["ropes"] == []
        and c["mamba2"]["min_step"] == 0.001),
    "Falcon-H1 of 4.x": (
        {"model_type": "falcon_h1", "attn_layer_indices": None, "head_dim": 64, "hidden_size": 1024, "mamba_chunk_size": 128,
         "mamba_d_head": 64, "mamba_d_ssm": 1536, "mamba_n_heads": 24, "mamba_use_mlp": True, "rope_theta": 100000000000.0,
         "rope_scaling": None, "projectors_bias": False, "time_step_limit": [0.0, {"__float__": "Infinity"}]},
        lambda c: {layer["mixer"] for layer in c["layers"]} == {"attention_and_mamba2"} and c["mamba2"]["max_step"] is None),
    "a window that is switched off": (
        {"model_type": "qwen2", "use_sliding_window": False, "sliding_window": 131072, "max_window_layers": 28, "use_mrope": False},
        lambda c: all(layer["window"] is None for layer in c["layers"])),
    "a window that is null": ({"model_type": "mistral", "sliding_window": None}, lambda c: c["layers"][0]["window"] is None),
    "Command R7B": (
        {"model_type": "cohere2", "head_dim": 128, "layer_switch": 4, "logit_scale": 0.25, "sliding_window_pattern": 4,
         "order_of_interleaved_layers": "local_attn_first", "position_embedding_type": "rope_gptj", "rotary_pct": 1.0,
         "use_embedding_sharing": True, "use_gated_activation": True, "use_parallel_block": True,
         "use_parallel_embedding": True, "cache_implementation": "hybrid", "rope_theta": 50000, "rope_scaling": None},
        lambda c: c["layers"][3]["window"] is None and c["layers"][3]["rope"] is None and c["layers"][2]["rope"] == 0),
    "StarCoder2": (
        {"model_type": "starcoder2", "activation_function": "gelu", "norm_type": "layer_norm", "mlp_type": "default",
         "layer_norm_epsilon": 1e-5, "attention_softmax_in_fp32": True, "scale_attn_weights": True,
         "scale_attention_softmax_in_fp32": True, "sliding_window": 4096, "use_bias": True},
        lambda c: c["layers"][0]["window"] == 4096 and c["hidden_act"] == "gelu_pytorch_tanh"),
    "the first Gemma": ({"model_type": "gemma", "hidden_act": "gelu", "hidden_activation": None},
                        lambda c: c["hidden_act"] == "gelu_pytorch_tanh"),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_keys(name, window):
    config, holds = PUBLISHED[name]
    assert holds(understood(window, config))
