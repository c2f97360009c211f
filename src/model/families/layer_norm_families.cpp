// Families with LayerNorm, several with attention and MLP side by side.
#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

static ModelConfig read_stablelm(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {50304, 2560, 6912, 32, 32, 32, {}, 4096});
  config.norm = read_layer_norm(reader, "layer_norm_eps", 1e-5, /*bias=*/true);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = reader.boolean("use_qkv_bias", false);
  config.qk_norm = reader.boolean("qk_layernorm", false) ? QkNorm::kEachHead : QkNorm::kNone;
  config.parallel_blocks = reader.boolean("use_parallel_residual", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {.partial_rotary_factor = 0.25})};
  reader.expect("head_dim", config.hidden_size / std::max<int64_t>(config.num_attention_heads, 1));
  reader.expect("rotary_scaling_factor", 1.0);
  return config;
}

constexpr TensorNames kStableLmNames = {.q_norm = "self_attn.q_layernorm",
                                        .k_norm = "self_attn.k_layernorm"};

Family stablelm_family() { return {"stablelm", read_stablelm, kStableLmNames}; }

static ModelConfig read_starcoder2(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {49152, 3072, 12288, 30, 24, 2, {}, 4096});
  config.norm = read_layer_norm(reader, "norm_epsilon", 1e-5, /*bias=*/true);
  config.hidden_act = read_activation(reader, "hidden_act", "gelu_pytorch_tanh");
  config.mlp_gate = false;
  config.qkv_bias = config.o_bias = config.mlp_bias = reader.boolean("use_bias", true);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  config.ropes = {read_rope(reader, config, {})};
  set_window(reader, config, reader.optional_integer("sliding_window", std::nullopt));
  reader.expect("norm_type", "layer_norm");
  reader.expect("mlp_type", "default");
  reader.expect("scale_attn_weights", true);
  // keys of GPT-BigCode, which came before; transformers reads none of them
  reader.harmless({"activation_function", "layer_norm_epsilon", "attention_softmax_in_fp32",
                   "scale_attention_softmax_in_fp32"});
  return config;
}

constexpr TensorNames kStarcoder2Names = {.up_proj = "mlp.c_fc", .down_proj = "mlp.c_proj"};

Family starcoder2_family() { return {"starcoder2", read_starcoder2, kStarcoder2Names}; }

static ModelConfig read_cohere2(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {256000, 8192, 22528, 40, 64, {}, {}, 8192});
  config.norm = read_layer_norm(reader, "layer_norm_eps", 1e-5, /*bias=*/false);
  config.norm.in_float32 = true;
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.parallel_blocks = true;
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  config.logit_multiplier = reader.number("logit_scale", 0.0625);
  const int64_t pattern = reader.positive_integer("sliding_window_pattern", 4);
  const auto types = read_layer_types(reader, config.num_hidden_layers, [&](int64_t i) {
    return sliding_if((i + 1) % pattern != 0);
  });
  set_windows(reader, config, types, reader.optional_integer("sliding_window", 4096));
  config.ropes = {read_rope(reader, config, {.interleaved = true})};
  // Only layers with a window have positions.
  for (LayerConfig& layer : config.layers)
    if (!layer.window) layer.rope = std::nullopt;
  reader.expect("use_qk_norm", false);
  reader.expect("use_parallel_block", true);
  reader.expect("use_gated_activation", true);
  reader.expect("position_embedding_type", "rope_gptj");
  reader.expect("rotary_pct", 1.0);
  reader.harmless({"layer_switch", "order_of_interleaved_layers", "use_embedding_sharing",
                   "use_parallel_embedding", "_sliding_window_pattern"});
  return config;
}

Family cohere2_family() { return {"cohere2", read_cohere2}; }

static ModelConfig read_phi(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {51200, 2048, 8192, 24, 32, {}, {}, 2048});
  config.norm = read_layer_norm(reader, "layer_norm_eps", 1e-5, /*bias=*/true);
  config.hidden_act = read_activation(reader, "hidden_act", "gelu_new");
  config.mlp_gate = false;
  config.parallel_blocks = true;
  config.qkv_bias = config.o_bias = config.mlp_bias = config.lm_head_bias = true;
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {.partial_rotary_factor = 0.5})};
  reader.expect("qk_layernorm", false);
  return config;
}

constexpr TensorNames kPhiNames = {.final_norm = "final_layernorm",
                                   .o_proj = "self_attn.dense",
                                   .up_proj = "mlp.fc1",
                                   .down_proj = "mlp.fc2"};

Family phi_family() { return {"phi", read_phi, kPhiNames}; }

}  // namespace air
