// Qwen3-Next, and Qwen3.5 to 3.8: three layers of four are a Gated DeltaNet; the others are
// attention with an output gate.
#include "model/families/config_parts.h"
#include "model/families/families.h"
#include "model/families/hybrid_parts.h"

namespace air {

namespace {

/// Norms of weight + 1, heads that rotate in part and are gated.
ModelConfig read_gated_llama_like(ConfigReader& reader, const SizeDefaults& sizes) {
  ModelConfig config = read_llama_like(
      reader, sizes,
      {.rope = RopeDefaults{.partial_rotary_factor = 0.25,
                            .harmless_keys = {"mrope_section", "mrope_interleaved"}}});
  config.norm.in_float32 = true;
  config.norm.weight_offset = 1.0;
  config.qk_norm = QkNorm::kHead;
  config.attention_gate = true;
  reader.expect("attn_output_gate", true);
  read_gated_delta(reader, config, {16, 32, 128, 128, 4});
  read_mixers(reader, config, "linear_attention", Mixer::kGatedDelta, [&](int64_t i) {
    return (i + 1) % reader.positive_integer("full_attention_interval", 4) == 0;
  });
  // Heads that predict several tokens, for decoding; the dtype of a cache.
  reader.harmless({"full_attention_interval", "mtp_num_hidden_layers",
                   "mtp_use_dedicated_embeddings", "mamba_ssm_dtype"});
  return config;
}

/// The text part of a folder that also sees images.
ModelConfig read_wrapped(ConfigReader& reader, const char* text_type,
                         ModelConfig (*read_text)(ConfigReader& reader)) {
  ModelConfig config = read_text_config(reader, {{text_type, read_text}});
  // The key of the whole model decides, not the one of its part.
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  reader.harmless({"vision_config", "image_token_id", "video_token_id", "vision_start_token_id",
                   "vision_end_token_id", "language_model_only"});
  return config;
}

}  // namespace

static ModelConfig read_qwen3_5_text(ConfigReader& reader) {
  ModelConfig config = read_gated_llama_like(reader, {248320, 4096, 12288, 32, 16, 4, 256, 32768});
  reader.expect("mlp_only_layers", Json::array());
  return config;
}

// As published; as re-saved text; as some versions of transformers re-saved it.
constexpr TensorNames kQwen35Names = {
    .prefixes = {"model.language_model.", "model.",
                 "model.language_model.language_model.language_model.", "language_model.", ""},
    .other_parts = {"model.visual.", "visual.", "mtp.", "model.mtp.",
                    "model.language_model.visual."}};

Family qwen3_5_text_family() { return {"qwen3_5_text", read_qwen3_5_text, kQwen35Names}; }

static ModelConfig read_qwen3_5(ConfigReader& reader) {
  return read_wrapped(reader, "qwen3_5_text", read_qwen3_5_text);
}

Family qwen3_5_family() { return {"qwen3_5", read_qwen3_5, kQwen35Names}; }

static ModelConfig read_qwen3_5_moe_text(ConfigReader& reader) {
  // All layers are sparse: no file has the size of a dense one.
  ModelConfig config = read_gated_llama_like(reader, {248320, 2048, 512, 40, 16, 2, 256, 32768});
  reader.expect("norm_topk_prob", true);
  config.experts = read_shared_experts(reader, {256, 8, 512, 512, true});
  reader.expect("mlp_only_layers", Json::array());
  reader.expect("decoder_sparse_step", 1);
  for (LayerConfig& layer : config.layers) layer.experts = true;
  return config;
}

Family qwen3_5_moe_text_family() {
  return {"qwen3_5_moe_text", read_qwen3_5_moe_text, kQwen35Names};
}

static ModelConfig read_qwen3_5_moe(ConfigReader& reader) {
  return read_wrapped(reader, "qwen3_5_moe_text", read_qwen3_5_moe_text);
}

Family qwen3_5_moe_family() { return {"qwen3_5_moe", read_qwen3_5_moe, kQwen35Names}; }

static ModelConfig read_qwen3_next(ConfigReader& reader) {
  ModelConfig config = read_gated_llama_like(reader, {151936, 2048, 5632, 48, 16, 2, 256, 32768});
  config.experts = read_shared_experts(reader, {512, 10, 512, 512, true});
  read_sparse_layers(reader, config);
  return config;
}

constexpr TensorNames kQwen3NextNames = {
    .other_parts = {"mtp."},
    .delta = {.qkvz_proj = "linear_attn.in_proj_qkvz", .ba_proj = "linear_attn.in_proj_ba"}};

Family qwen3_next_family() { return {"qwen3_next", read_qwen3_next, kQwen3NextNames}; }

}  // namespace air
