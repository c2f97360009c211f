// Families that are Llama with small changes: pre-norm blocks, RMSNorm, gated MLP.
#include <cmath>

#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

/// Qwen 2 and 3: layers from max_window_layers on have a window when use_sliding_window is set.
void read_qwen_windows(ConfigReader& reader, ModelConfig& config) {
  const bool used = reader.boolean("use_sliding_window", false);
  const auto window = reader.optional_integer("sliding_window", 4096);
  const int64_t first = reader.integer("max_window_layers", 28);
  const bool windowed = used && window.has_value();
  const auto sliding = read_sliding_layers(reader, config.num_hidden_layers,
                                           [&](int64_t i) { return windowed && i >= first; });
  set_windows(reader, config, sliding, used ? window : std::nullopt);
}

}  // namespace

ModelConfig read_llama(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {32000, 4096, 11008, 32, 32, {}, {}, 2048});
  config.norm = read_rms_norm(reader, 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {})};
  // Tensor-parallel slices of pretraining_tp > 1 change only the rounding; transformers no longer
  // reads it.
  reader.harmless({"pretraining_tp"});
  reader.expect("rope_interleaved", false);
  return config;
}

ModelConfig read_mistral(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {32000, 4096, 14336, 32, 32, 8, {}, 4096 * 32});
  config.norm = read_rms_norm(reader, 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {})};
  set_window(reader, config, reader.optional_integer("sliding_window", 4096));
  reader.expect("attention_bias", false);
  return config;
}

ModelConfig read_qwen2(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {151936, 4096, 22016, 32, 32, 32, {}, 32768});
  config.norm = read_rms_norm(reader, 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = true;
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {})};
  read_qwen_windows(reader, config);
  reader.expect("attention_bias", true);
  return config;
}

ModelConfig read_qwen3(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {151936, 4096, 22016, 32, 32, 32, 128, 32768});
  config.norm = read_rms_norm(reader, 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.qk_norm = QkNorm::kHead;
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {})};
  read_qwen_windows(reader, config);
  return config;
}

ModelConfig read_smollm3(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {128256, 2048, 11008, 36, 16, 4, {}, 32768});
  config.norm = read_rms_norm(reader, 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  config.ropes = {read_rope(reader, config, {.theta = 2000000.0})};
  const int64_t interval = reader.integer("no_rope_layer_interval", 4);
  const bool listed = reader.has("no_rope_layers");
  const std::vector<int64_t> rotated =
      reader.integers("no_rope_layers");  // 1: has RoPE, whatever the name says
  if (listed && rotated.size() != config.layers.size())
    reader.fail("no_rope_layers has " + std::to_string(rotated.size()) +
                " entries, num_hidden_layers is " + std::to_string(config.num_hidden_layers));
  if (interval <= 0)
    reader.fail("\"no_rope_layer_interval\" must be positive, not " + std::to_string(interval));
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const bool has_rope = listed ? rotated[i] != 0 : (static_cast<int64_t>(i) + 1) % interval != 0;
    if (!has_rope) config.layers[i].rope = std::nullopt;
  }
  const bool used = reader.boolean("use_sliding_window", false);
  const auto window = reader.optional_integer("sliding_window", std::nullopt);
  const bool windowed = used && window.has_value();
  const auto sliding = read_sliding_layers(reader, config.num_hidden_layers, [&](int64_t i) {
    return windowed && !config.layers[i].rope;
  });
  set_windows(reader, config, sliding, window);
  reader.harmless({"max_window_layers", "pretraining_tp"});
  return config;
}

ModelConfig read_granite(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {32000, 4096, 11008, 32, 32, {}, {}, 2048});
  config.norm = read_rms_norm(reader, 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {})};
  config.embedding_multiplier = reader.number("embedding_multiplier", 1.0);
  config.residual_multiplier = reader.number("residual_multiplier", 1.0);
  config.attention_scale = reader.number("attention_multiplier", 1.0);
  const double scaling = reader.number("logits_scaling", 1.0);
  if (scaling == 0) reader.fail("\"logits_scaling\" is 0");
  config.logit_multiplier = 1.0 / scaling;
  return config;
}

ModelConfig read_seed_oss(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {155136, 4096, 27648, 64, 80, 8, 128, 524288});
  config.norm = read_rms_norm(reader, 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = reader.boolean("attention_bias", true);
  config.o_bias = reader.boolean("attention_out_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {})};
  reader.harmless({"pretraining_tp"});
  return config;
}

ModelConfig read_phi3(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {32064, 3072, 8192, 32, 32, {}, {}, 4096});
  config.norm = read_rms_norm(reader, 1e-5);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  const RopeConfig rope = read_rope(reader, config,
                                    {.partial_rotary_factor = 1.0,
                                     .original_max_position_embeddings = 4096,
                                     .longrope_aliases = {"su", "yarn"}});
  if (rope.rope_type != "default" && rope.rope_type != "longrope")
    reader.fail("rope_type \"" + rope.rope_type + "\" is not one of this model type",
                "default and longrope are");
  config.ropes = {rope};
  set_window(reader, config, reader.optional_integer("sliding_window", std::nullopt));
  // Phi-4-mini's own code has these keys; transformers has no such parts.
  for (const char* key : {"attention_bias", "mlp_bias", "lm_head_bias"}) reader.expect(key, false);
  reader.expect("full_attn_mod", 1);
  reader.expect("interpolate_factor", 1);
  return config;
}

ModelConfig read_glm4(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {151552, 4096, 13696, 40, 32, 2, 128, 131072});
  config.norm = read_rms_norm(reader, 1.5625e-7);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = reader.boolean("attention_bias", true);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.ropes = {read_rope(reader, config, {.partial_rotary_factor = 0.5, .interleaved = true})};
  return config;
}

}  // namespace air
