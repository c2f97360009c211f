// Gemma 1, 2, 3: embeddings times √hidden_size, norms of weight + 1, tied embeddings.
#include <cmath>

#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

ModelConfig read_gemma_sizes(ConfigReader& reader, const SizeDefaults& defaults) {
  ModelConfig config = read_sizes(reader, defaults);
  config.norm = read_rms_norm(reader, 1e-6);
  config.norm.in_float32 = true;
  config.norm.weight_offset = 1.0;
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  config.embedding_multiplier = std::sqrt(static_cast<double>(config.hidden_size));
  config.round_embedding_multiplier = true;
  reader.expect("use_bidirectional_attention", false);
  return config;
}

void read_query_scale(ConfigReader& reader, ModelConfig& config) {
  const double scalar = reader.number("query_pre_attn_scalar", 256);
  if (scalar <= 0) reader.fail("\"query_pre_attn_scalar\" must be positive");
  config.attention_scale = 1.0 / std::sqrt(scalar);
}

double read_softcap(ConfigReader& reader, const std::string& key, std::optional<double> missing) {
  const auto cap = reader.optional_number(key, missing);
  if (cap && *cap <= 0) reader.fail("\"" + key + "\" must be positive or null");
  return cap.value_or(0.0);
}

}  // namespace

static ModelConfig read_gemma(ConfigReader& reader) {
  ModelConfig config = read_gemma_sizes(reader, {256000, 3072, 24576, 28, 16, 16, 256, 8192});
  config.hidden_act = read_activation(reader, "hidden_act", "gelu_pytorch_tanh");
  // The first releases said "gelu" and meant its tanh form.
  if (config.hidden_act == Activation::kGelu) config.hidden_act = Activation::kGeluTanh;
  reader.expect("hidden_activation", "gelu_pytorch_tanh");
  config.ropes = {read_rope(reader, config, {})};
  return config;
}

Family gemma_family() { return {"gemma", read_gemma}; }

static ModelConfig read_gemma2(ConfigReader& reader) {
  ModelConfig config = read_gemma_sizes(reader, {256000, 2304, 9216, 26, 8, 4, 256, 8192});
  config.hidden_act = read_activation(reader, "hidden_activation", "gelu_pytorch_tanh");
  reader.harmless({"hidden_act"});  // an older key that nothing reads
  read_query_scale(reader, config);
  config.attention_softcap = read_softcap(reader, "attn_logit_softcapping", 50.0);
  config.logit_softcap = read_softcap(reader, "final_logit_softcapping", 30.0);
  config.ropes = {read_rope(reader, config, {})};
  const auto types = read_layer_types(reader, config.num_hidden_layers,
                                      [](int64_t i) { return sliding_if(i % 2 == 0); });
  set_windows(reader, config, types, reader.optional_integer("sliding_window", 4096));
  return config;
}

constexpr TensorNames kGemma2Names = {.attention_post_norm = "post_attention_layernorm",
                                      .mlp_norm = "pre_feedforward_layernorm",
                                      .mlp_post_norm = "post_feedforward_layernorm"};

Family gemma2_family() { return {"gemma2", read_gemma2, kGemma2Names}; }

static ModelConfig read_gemma3_text(ConfigReader& reader) {
  ModelConfig config = read_gemma_sizes(reader, {262208, 2304, 9216, 26, 8, 4, 256, 131072});
  config.hidden_act = read_activation(reader, "hidden_activation", "gelu_pytorch_tanh");
  config.qk_norm = QkNorm::kHead;
  read_query_scale(reader, config);
  reader.expect("attn_logit_softcapping",
                nullptr);  // transformers has the key and does not apply it
  config.logit_softcap = read_softcap(reader, "final_logit_softcapping", std::nullopt);
  const int64_t pattern = reader.positive_integer("sliding_window_pattern", 6);
  if (reader.has("layer_types"))
    reader.harmless({"_sliding_window_pattern"});
  else
    reader.expect("_sliding_window_pattern", 6);
  const auto types = read_layer_types(reader, config.num_hidden_layers, [&](int64_t i) {
    return sliding_if((i + 1) % pattern != 0);
  });
  set_windows(reader, config, types, reader.optional_integer("sliding_window", 4096));
  const double full_theta = reader.number("rope_theta", 1e6),
               sliding_theta = reader.number("rope_local_base_freq", 1e4);
  set_ropes(config, read_ropes_by_layer_type(reader, config, full_theta, sliding_theta));
  return config;
}

Family gemma3_text_family() { return {"gemma3_text", read_gemma3_text, kGemma2Names}; }

static ModelConfig read_gemma3_part(ConfigReader& reader) {
  ModelConfig config = read_gemma3_text(reader);
  reader.expect("final_logit_softcapping", nullptr);  // the multimodal model does not apply it
  return config;
}

static ModelConfig read_gemma3(ConfigReader& reader) {
  ModelConfig config = read_text_config(reader, {{"gemma3_text", read_gemma3_part}});
  // The key of the whole model decides, not the one of its part.
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  reader.harmless({"vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index",
                   "image_token_index", "boi_token_id", "eoi_token_id", "image_token_id"});
  return config;
}

constexpr TensorNames kGemma3Names = {
    .prefixes = {"model.language_model.", "language_model.model.", "language_model."},
    .lm_head = {"lm_head", "language_model.lm_head"},
    .other_parts = {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                    "model.multi_modal_projector."},
    .attention_post_norm = "post_attention_layernorm",
    .mlp_norm = "pre_feedforward_layernorm",
    .mlp_post_norm = "post_feedforward_layernorm"};

Family gemma3_family() { return {"gemma3", read_gemma3, kGemma3Names}; }

}  // namespace air
