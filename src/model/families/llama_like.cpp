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
  const auto types = read_layer_types(reader, config.num_hidden_layers, [&](int64_t i) {
    return sliding_if(windowed && i >= first);
  });
  set_windows(reader, config, types, used ? window : std::nullopt);
}

}  // namespace

static ModelConfig read_llama(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {32000, 4096, 11008, 32, 32, {}, {}, 2048});
  config.mlp_bias = reader.boolean("mlp_bias", false);
  // Tensor-parallel slices of pretraining_tp > 1 change only the rounding; transformers no longer
  // reads it.
  reader.harmless({"pretraining_tp"});
  reader.expect("rope_interleaved", false);
  return config;
}

Family llama_family() { return {"llama", read_llama}; }

static ModelConfig read_mistral(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {32000, 4096, 14336, 32, 32, 8, {}, 4096 * 32},
                                       {.attention_bias = std::nullopt});
  set_window(reader, config, reader.optional_integer("sliding_window", 4096));
  reader.expect("attention_bias", false);
  return config;
}

Family mistral_family() { return {"mistral", read_mistral}; }

static ModelConfig read_qwen2(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {151936, 4096, 22016, 32, 32, 32, {}, 32768},
                                       {.attention_bias = std::nullopt});
  config.qkv_bias = true;
  read_qwen_windows(reader, config);
  reader.expect("attention_bias", true);
  return config;
}

Family qwen2_family() { return {"qwen2", read_qwen2}; }

static ModelConfig read_qwen3(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {151936, 4096, 22016, 32, 32, 32, 128, 32768});
  config.qk_norm = QkNorm::kHead;
  read_qwen_windows(reader, config);
  return config;
}

Family qwen3_family() { return {"qwen3", read_qwen3}; }

static ModelConfig read_smollm3(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {128256, 2048, 11008, 36, 16, 4, {}, 32768},
                      {.tie_word_embeddings = true, .rope = RopeDefaults{.theta = 2000000.0}});
  config.mlp_bias = reader.boolean("mlp_bias", false);
  const int64_t interval = reader.positive_integer("no_rope_layer_interval", 4);
  const bool listed = reader.has("no_rope_layers");
  const std::vector<int64_t> rotated =
      reader.integers("no_rope_layers");  // 1: has RoPE, whatever the name says
  if (listed && rotated.size() != config.layers.size())
    reader.fail("no_rope_layers has " + std::to_string(rotated.size()) +
                " entries, num_hidden_layers is " + std::to_string(config.num_hidden_layers));
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const bool has_rope = listed ? rotated[i] != 0 : (static_cast<int64_t>(i) + 1) % interval != 0;
    if (!has_rope) config.layers[i].rope = std::nullopt;
  }
  const bool used = reader.boolean("use_sliding_window", false);
  const auto window = reader.optional_integer("sliding_window", std::nullopt);
  const bool windowed = used && window.has_value();
  const auto types = read_layer_types(reader, config.num_hidden_layers, [&](int64_t i) {
    return sliding_if(windowed && !config.layers[i].rope);
  });
  set_windows(reader, config, types, window);
  reader.harmless({"max_window_layers", "pretraining_tp"});
  return config;
}

Family smollm3_family() { return {"smollm3", read_smollm3}; }

static ModelConfig read_granite(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {32000, 4096, 11008, 32, 32, {}, {}, 2048});
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.embedding_multiplier = reader.number("embedding_multiplier", 1.0);
  config.residual_multiplier = reader.number("residual_multiplier", 1.0);
  config.attention_scale = reader.number("attention_multiplier", 1.0);
  const double scaling = reader.number("logits_scaling", 1.0);
  if (scaling == 0) reader.fail("\"logits_scaling\" is 0");
  config.logit_multiplier = 1.0 / scaling;
  return config;
}

Family granite_family() { return {"granite", read_granite}; }

static ModelConfig read_seed_oss(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {155136, 4096, 27648, 64, 80, 8, 128, 524288},
                                       {.attention_bias = true});
  config.o_bias = reader.boolean("attention_out_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  reader.harmless({"pretraining_tp"});
  return config;
}

Family seed_oss_family() { return {"seed_oss", read_seed_oss}; }

static ModelConfig read_phi3(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {32064, 3072, 8192, 32, 32, {}, {}, 4096},
                      {.rms_norm_eps = 1e-5,
                       .attention_bias = std::nullopt,
                       .rope = RopeDefaults{.partial_rotary_factor = 1.0,
                                            .original_max_position_embeddings = 4096,
                                            .longrope_aliases = {"su", "yarn"}}});
  const RopeType type = config.ropes[0].type;
  if (type != RopeType::kDefault && type != RopeType::kLongrope)
    reader.fail("rope_type \"" + std::string(name_of(type)) + "\" is not one of this model type",
                "default and longrope are");
  set_window(reader, config, reader.optional_integer("sliding_window", std::nullopt));
  // Phi-4-mini's own code has these keys; transformers has no such parts.
  for (const char* key : {"attention_bias", "mlp_bias", "lm_head_bias"}) reader.expect(key, false);
  reader.expect("full_attn_mod", 1);
  reader.expect("interpolate_factor", 1);
  return config;
}

constexpr TensorNames kPhi3Names = {.qkv_proj = "self_attn.qkv_proj",
                                    .gate_up_proj = "mlp.gate_up_proj"};

Family phi3_family() { return {"phi3", read_phi3, kPhi3Names}; }

static ModelConfig read_glm4(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {151552, 4096, 13696, 40, 32, 2, 128, 131072},
                      {.rms_norm_eps = 1.5625e-7,
                       .attention_bias = true,
                       .rope = RopeDefaults{.partial_rotary_factor = 0.5, .interleaved = true}});
  config.o_bias = false;
  return config;
}

constexpr TensorNames kGlm4Names = {.attention_post_norm = "post_self_attn_layernorm",
                                    .mlp_post_norm = "post_mlp_layernorm",
                                    .gate_up_proj = "mlp.gate_up_proj"};

Family glm4_family() { return {"glm4", read_glm4, kGlm4Names}; }

}  // namespace air
