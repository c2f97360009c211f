// Families that are Llama with small changes: pre-norm blocks, RMSNorm, gated MLP.
#include <cmath>

#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

/// Qwen 2 and 3: layers from max_window_layers on have a window when use_sliding_window is set.
void read_qwen_windows(ConfigReader& reader, ModelConfig& config, int64_t max_window_layers = 28) {
  const bool used = reader.boolean("use_sliding_window", false);
  const auto window = reader.optional_integer("sliding_window", 4096);
  const int64_t first = reader.integer("max_window_layers", max_window_layers);
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

static ModelConfig read_ministral3(ConfigReader& reader) {
  RopeDefaults rope{.scales_queries = true};
  rope.parameters = {{"type", "yarn"},
                     {"rope_theta", 1e6},
                     {"factor", 16.0},
                     {"original_max_position_embeddings", 16384},
                     {"beta_fast", 32.0},
                     {"beta_slow", 1.0},
                     {"mscale_all_dim", 1.0},
                     {"mscale", 1.0},
                     {"llama_4_scaling_beta", 0.1}};
  rope.harmless_keys = {"max_position_embeddings"};
  ModelConfig config = read_llama_like(
      reader, {131072, 4096, 14336, 34, 32, 8, 128, 262144},
      {.rms_norm_eps = 1e-5, .attention_bias = std::nullopt, .rope = std::move(rope)});
  set_window(reader, config, reader.optional_integer("sliding_window", std::nullopt));
  reader.expect("attention_bias", false);
  return config;
}

Family ministral3_family() { return {"ministral3", read_ministral3}; }

static ModelConfig read_mistral3(ConfigReader& reader) {
  ModelConfig config =
      read_text_config(reader, {{"mistral", read_mistral}, {"ministral3", read_ministral3}});
  // The key of the whole model decides; a checkpoint that holds lm_head keeps it all the same.
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  reader.harmless({"vision_config", "image_token_index", "image_token_id", "projector_hidden_act",
                   "vision_feature_layer", "multimodal_projector_bias", "spatial_merge_size"});
  return config;
}

constexpr TensorNames kMistral3Names = {
    .prefixes = {"model.language_model.", "language_model.model.", "language_model."},
    .lm_head = {"lm_head", "language_model.lm_head"},
    .other_parts = {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                    "model.multi_modal_projector."}};

Family mistral3_family() { return {"mistral3", read_mistral3, kMistral3Names}; }

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

/// A text has one position a token: the three of multimodal RoPE are alike, and it is plain RoPE.
static RopeDefaults multimodal_rope(double theta) {
  return {.theta = theta,
          .default_aliases = {"mrope"},
          .harmless_keys = {"mrope_section", "mrope_interleaved"}};
}

static ModelConfig read_qwen2_vl_text(ConfigReader& reader) {
  ModelConfig config = read_llama_like(
      reader, {152064, 8192, 29568, 80, 64, 8, {}, 32768},
      {.rms_norm_eps = 1e-5, .attention_bias = std::nullopt, .rope = multimodal_rope(1e6)});
  config.qkv_bias = true;
  read_qwen_windows(reader, config, 80);
  return config;
}

/// Folders of before transformers 5 keep the keys of the text beside those of the whole.
static ModelConfig read_qwen2_vl(ConfigReader& reader) {
  ModelConfig config = reader.has("text_config")
                           ? read_text_config(reader, {{"qwen2_vl_text", read_qwen2_vl_text},
                                                       {"qwen2_5_vl_text", read_qwen2_vl_text},
                                                       {"qwen2_vl", read_qwen2_vl_text},
                                                       {"qwen2_5_vl", read_qwen2_vl_text}})
                           : read_qwen2_vl_text(reader);
  // Either of the two keys ties.
  config.tie_word_embeddings =
      reader.boolean("tie_word_embeddings", false) || config.tie_word_embeddings;
  reader.harmless({"vision_config", "image_token_id", "video_token_id", "vision_start_token_id",
                   "vision_end_token_id", "vision_token_id"});
  return config;
}

static ModelConfig read_qwen3_vl_text(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {151936, 4096, 22016, 32, 32, 32, 128, 128000},
                                       {.rope = multimodal_rope(5e5)});
  config.qk_norm = QkNorm::kHead;
  return config;
}

static ModelConfig read_qwen3_vl(ConfigReader& reader) {
  ModelConfig config = read_text_config(reader, {{"qwen3_vl_text", read_qwen3_vl_text}});
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  reader.harmless({"vision_config", "image_token_id", "video_token_id", "vision_start_token_id",
                   "vision_end_token_id"});
  return config;
}

constexpr TensorNames kQwenVlNames = {
    .prefixes = {"model.language_model.", "language_model.model.", "model."},
    .lm_head = {"lm_head", "language_model.lm_head"},
    .other_parts = {"visual.", "model.visual."}};

Family qwen2_vl_family() { return {"qwen2_vl", read_qwen2_vl, kQwenVlNames}; }
Family qwen2_5_vl_family() { return {"qwen2_5_vl", read_qwen2_vl, kQwenVlNames}; }
Family qwen3_vl_family() { return {"qwen3_vl", read_qwen3_vl, kQwenVlNames}; }

static ModelConfig read_arcee(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {32000, 2560, 18432, 32, 32, {}, {}, 4096},
                                       {.rms_norm_eps = 1e-5, .hidden_act = "relu2"});
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.mlp_gate = false;
  return config;
}

Family arcee_family() { return {"arcee", read_arcee}; }

static ModelConfig read_internlm3(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {128512, 4096, 10240, 48, 32, 2, 128, 32768},
                                       {.rms_norm_eps = 1e-5, .attention_bias = std::nullopt});
  // Its own code says qkv_bias and bias.
  const char* attention = reader.has("qkv_bias") ? "qkv_bias" : "attention_bias";
  const char* all = reader.has("bias") ? "bias" : "mlp_bias";
  config.qkv_bias = config.o_bias = reader.boolean(attention, false);
  config.mlp_bias = reader.boolean(all, false);
  if (config.qkv_bias != config.mlp_bias)
    reader.fail(std::string("\"") + attention + "\" differs from \"" + all +
                "\", which transformers does not support either");
  return config;
}

Family internlm3_family() { return {"internlm3", read_internlm3}; }

static ModelConfig read_ernie4_5(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {103424, 1024, 3072, 18, 16, 2, 128, 131072},
                      {.rms_norm_eps = 1e-5,
                       .attention_bias = std::nullopt,
                       .tie_word_embeddings = true,
                       .rope = RopeDefaults{.theta = 500000.0, .interleaved = true}});
  config.qkv_bias = config.o_bias = config.mlp_bias = reader.boolean("use_bias", false);
  return config;
}

Family ernie4_5_family() { return {"ernie4_5", read_ernie4_5}; }

static ModelConfig read_hunyuan_v1_dense(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {290943, 4096, 11008, 32, 32, {}, {}, 2048},
                      {.rms_norm_eps = 1e-5, .rope = RopeDefaults{.has_alpha = true}});
  config.qk_norm = QkNorm::kHead;
  config.qk_norm_after_rope = true;
  reader.harmless({"pretraining_tp", "eod_token_id", "attention_head_dim", "cla_share_factor",
                   "add_classification_head", "class_num", "mask_init_id", "pool_type",
                   "org_vocab_size", "im_start_id", "im_end_id", "im_newline_id", "text_start_id",
                   "text_end_id", "video_start_id", "video_end_id", "image_token_id"});
  reader.expect("use_qk_norm", true);
  reader.expect("use_cla", false);
  reader.expect("mlp_bias", false);
  return config;
}

constexpr TensorNames kHunyuanNames = {.q_norm = "self_attn.query_layernorm",
                                       .k_norm = "self_attn.key_layernorm"};

Family hunyuan_v1_dense_family() {
  return {"hunyuan_v1_dense", read_hunyuan_v1_dense, kHunyuanNames};
}

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

static ModelConfig read_glm(ConfigReader& reader) { return read_glm4(reader); }

constexpr TensorNames kGlmNames = {.gate_up_proj = "mlp.gate_up_proj"};

Family glm_family() { return {"glm", read_glm, kGlmNames}; }

constexpr TensorNames kGlm4Names = {.attention_post_norm = "post_self_attn_layernorm",
                                    .mlp_post_norm = "post_mlp_layernorm",
                                    .gate_up_proj = "mlp.gate_up_proj"};

Family glm4_family() { return {"glm4", read_glm4, kGlm4Names}; }

}  // namespace air
