// Families with a mixture of experts.
#include <algorithm>

#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

void set_experts_everywhere(ModelConfig& config) {
  for (LayerConfig& layer : config.layers) layer.experts = true;
}

}  // namespace

int64_t read_num_experts(ConfigReader& reader, const std::string& key, const std::string& other,
                         int64_t fallback) {
  const int64_t count = reader.integer(key, reader.integer(other, fallback));
  if (reader.has(other)) reader.expect(other, count);
  return count;
}

ExpertConfig read_shared_experts(ConfigReader& reader, const SharedExpertDefaults& defaults) {
  return {
      .num_experts =
          read_num_experts(reader, "num_experts", "num_local_experts", defaults.num_experts),
      .num_experts_per_tok = reader.integer("num_experts_per_tok", defaults.num_experts_per_tok),
      .intermediate_size = reader.integer("moe_intermediate_size", defaults.intermediate_size),
      .norm_topk_prob = reader.boolean("norm_topk_prob", defaults.norm_topk_prob),
      .shared_intermediate_size = reader.positive_integer("shared_expert_intermediate_size",
                                                          defaults.shared_intermediate_size)};
}

void read_sparse_layers(ConfigReader& reader, ModelConfig& config) {
  const int64_t step = reader.positive_integer("decoder_sparse_step", 1);
  const std::vector<int64_t> dense = reader.integers("mlp_only_layers");
  for (int64_t i = 0; i < static_cast<int64_t>(config.layers.size()); ++i) {
    const bool listed = std::find(dense.begin(), dense.end(), i) != dense.end();
    config.layers[i].experts = !listed && config.experts.num_experts > 0 && (i + 1) % step == 0;
  }
}

static ModelConfig read_mixtral(ConfigReader& reader) {
  ModelConfig config = read_llama_like(
      reader, {32000, 4096, 14336, 32, 32, 8, {}, 4096 * 32},
      {.rms_norm_eps = 1e-5, .attention_bias = std::nullopt, .rope = RopeDefaults{.theta = 1e6}});
  set_window(reader, config, reader.optional_integer("sliding_window", std::nullopt));
  config.experts.num_experts = read_num_experts(reader, "num_local_experts", "num_experts", 8);
  config.experts.num_experts_per_tok = reader.integer("num_experts_per_tok", 2);
  config.experts.intermediate_size = config.intermediate_size;
  config.experts.norm_topk_prob = true;
  set_experts_everywhere(config);
  return config;
}

constexpr TensorNames kMixtralNames = {.router = "block_sparse_moe.gate",
                                       .experts = "block_sparse_moe.experts",
                                       .expert_gate_proj = "w1",
                                       .expert_up_proj = "w3",
                                       .expert_down_proj = "w2"};

Family mixtral_family() { return {"mixtral", read_mixtral, kMixtralNames}; }

static ModelConfig read_qwen3_moe(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {151936, 2048, 6144, 24, 32, 4, {}, 32768});
  config.qk_norm = QkNorm::kHead;
  const bool used = reader.boolean("use_sliding_window", false);
  const auto window = reader.optional_integer("sliding_window", 4096);
  if (used) set_window(reader, config, window);
  reader.harmless({"max_window_layers"});  // this family has no such thing
  config.experts.num_experts = read_num_experts(reader, "num_experts", "num_local_experts", 128);
  config.experts.num_experts_per_tok = reader.integer("num_experts_per_tok", 8);
  config.experts.intermediate_size = reader.integer("moe_intermediate_size", 768);
  config.experts.norm_topk_prob = reader.boolean("norm_topk_prob", false);
  read_sparse_layers(reader, config);
  return config;
}

Family qwen3_moe_family() { return {"qwen3_moe", read_qwen3_moe}; }

static ModelConfig read_qwen2_moe(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {151936, 2048, 5632, 24, 16, 16, {}, 32768},
                                       {.attention_bias = std::nullopt});
  config.qkv_bias = reader.boolean("qkv_bias", true);
  const bool used = reader.boolean("use_sliding_window", false);
  const auto window = reader.optional_integer("sliding_window", 4096);
  const int64_t last = reader.integer("max_window_layers", 28);
  const auto types = read_layer_types(reader, config.num_hidden_layers, [&](int64_t i) {
    return sliding_if(used && i % 2 == 0 && i < last);
  });
  set_windows(reader, config, types, used ? window : std::nullopt);
  config.experts = read_shared_experts(reader, {60, 4, 1408, 5632, false});
  read_sparse_layers(reader, config);
  return config;
}

Family qwen2_moe_family() { return {"qwen2_moe", read_qwen2_moe}; }

static ModelConfig read_olmoe(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {50304, 2048, 2048, 16, 16, {}, {}, 4096}, {.rms_norm_eps = 1e-5});
  config.qk_norm = QkNorm::kProjection;
  const auto clip = reader.optional_number("clip_qkv", std::nullopt);
  if (clip && *clip <= 0) reader.fail("\"clip_qkv\" must be positive or null");
  config.clip_qkv = clip.value_or(0.0);
  reader.expect("head_dim", config.hidden_size / std::max<int64_t>(config.num_attention_heads, 1));
  config.experts.num_experts = read_num_experts(reader, "num_experts", "num_local_experts", 64);
  config.experts.num_experts_per_tok = reader.integer("num_experts_per_tok", 8);
  config.experts.intermediate_size = config.intermediate_size;
  config.experts.norm_topk_prob = reader.boolean("norm_topk_prob", false);
  set_experts_everywhere(config);
  return config;
}

Family olmoe_family() { return {"olmoe", read_olmoe}; }

static ModelConfig read_gpt_oss(ConfigReader& reader) {
  reader.expect("hidden_act", "silu");  // its own form of SwiGLU is fixed
  const RopeDefaults rope = {.theta = 150000.0,
                             .parameters = {{"rope_type", "yarn"},
                                            {"factor", 32.0},
                                            {"beta_fast", 32.0},
                                            {"beta_slow", 1.0},
                                            {"truncate", false},
                                            {"original_max_position_embeddings", 4096}}};
  ModelConfig config =
      read_llama_like(reader, {201088, 2880, 2880, 36, 64, 8, 64, 131072},
                      {.rms_norm_eps = 1e-5, .attention_bias = true, .rope = rope});
  config.norm.in_float32 = true;
  config.hidden_act = Activation::kClampedSwiglu;
  config.swiglu_alpha = reader.number("swiglu_alpha", 1.702);
  config.swiglu_limit = reader.number("swiglu_limit", 7.0);
  config.attention_sinks = true;
  const auto types = read_layer_types(reader, config.num_hidden_layers,
                                      [](int64_t i) { return sliding_if(i % 2 == 0); });
  set_windows(reader, config, types, reader.optional_integer("sliding_window", 128));
  config.experts = {
      .num_experts = read_num_experts(reader, "num_local_experts", "num_experts", 128),
      .num_experts_per_tok = reader.integer("num_experts_per_tok", 4),
      .intermediate_size = config.intermediate_size,
      .softmax_after_top_k = true,
      .router_bias = true,
      .bias = true};
  set_experts_everywhere(config);
  // The published files say these twice.
  reader.expect("experts_per_token", config.experts.num_experts_per_tok);
  reader.harmless({"initial_context_length"});
  return config;
}

constexpr TensorNames kGptOssNames = {
    .sinks = "self_attn.sinks", .router = "mlp.router", .interleaved_experts = true};

Family gpt_oss_family() { return {"gpt_oss", read_gpt_oss, kGptOssNames}; }

}  // namespace air
