// LFM2: most layers are a gated convolution over three tokens, the others attention.
#include <algorithm>

#include "model/families/config_parts.h"
#include "model/families/families.h"
#include "model/families/hybrid_parts.h"

namespace air {

namespace {

ModelConfig read_lfm2_parts(ConfigReader& reader, const SizeDefaults& sizes) {
  ModelConfig config = read_sizes(reader, sizes);
  config.norm = {.kind = NormKind::kRms, .eps = reader.number("norm_eps", 1e-5)};
  config.qk_norm = QkNorm::kHead;
  config.tie_word_embeddings =
      reader.boolean("tie_embedding", reader.boolean("tie_word_embeddings", true));
  config.ropes = {read_rope(reader, config, {.theta = 1e6})};
  config.short_conv_width = reader.positive_integer("conv_L_cache", 3);
  config.short_conv_bias = reader.boolean("conv_bias", false);
  // Sizes of its own code's convolution, which is as wide as the model.
  for (const char* key : {"conv_dim", "conv_dim_out", "block_dim"})
    reader.expect(key, config.hidden_size);
  reader.expect("block_norm_eps", config.norm.eps);
  reader.expect("num_heads", config.num_attention_heads);
  reader.expect("block_use_swiglu", true);
  reader.harmless({"block_mlp_init_scale", "block_out_init_scale", "block_use_xavier_init",
                   "conv_use_xavier_init", "use_pos_enc"});
  return config;
}

/// Width of the MLP's matrices, where it is not intermediate_size itself.
int64_t adjusted_size(ConfigReader& reader, int64_t size) {
  const bool adjust = reader.boolean("block_auto_adjust_ff_dim", true);
  const auto multiplier = reader.optional_number("block_ffn_dim_multiplier", 1.0);
  const int64_t multiple = reader.positive_integer("block_multiple_of", 256);
  if (!adjust) return size;
  size = 2 * size / 3;
  if (!multiplier) return size;
  size = static_cast<int64_t>(*multiplier * static_cast<double>(size));
  return (size + multiple - 1) / multiple * multiple;
}

constexpr TensorNames kLfm2Names = {.final_norm = "embedding_norm",
                                    .attention_norm = "operator_norm",
                                    .mlp_norm = "ffn_norm",
                                    .o_proj = "self_attn.out_proj",
                                    .q_norm = "self_attn.q_layernorm",
                                    .k_norm = "self_attn.k_layernorm",
                                    .gate_proj = "feed_forward.w1",
                                    .up_proj = "feed_forward.w3",
                                    .down_proj = "feed_forward.w2",
                                    .router = "feed_forward.gate",
                                    .selection_bias = "feed_forward.expert_bias",
                                    .experts = "feed_forward.experts",
                                    .expert_gate_proj = "w1",
                                    .expert_up_proj = "w3",
                                    .expert_down_proj = "w2"};

}  // namespace

static ModelConfig read_lfm2(ConfigReader& reader) {
  ModelConfig config = read_lfm2_parts(reader, {65536, 2560, 12288, 32, 32, 8, {}, 128000});
  config.intermediate_size = reader.integer("block_ff_dim", config.intermediate_size);
  config.intermediate_size = adjusted_size(reader, config.intermediate_size);
  const bool listed = reader.has("full_attn_idxs");
  const std::vector<int64_t> attention = reader.integers("full_attn_idxs");
  read_mixers(reader, config, "conv", Mixer::kShortConv, [&](int64_t i) {
    return !listed || std::find(attention.begin(), attention.end(), i) != attention.end();
  });
  return config;
}

Family lfm2_family() { return {"lfm2", read_lfm2, kLfm2Names}; }

static ModelConfig read_lfm2_moe(ConfigReader& reader) {
  ModelConfig config = read_lfm2_parts(reader, {65536, 2048, 7168, 32, 32, 8, {}, 128000});
  if (!reader.has("layer_types")) reader.fail("no key \"layer_types\"");
  read_mixers(reader, config, "conv", Mixer::kShortConv, [](int64_t) { return false; });
  config.experts = {.num_experts = read_num_experts(reader, "num_experts", "num_local_experts", 32),
                    .num_experts_per_tok = reader.integer("num_experts_per_tok", 4),
                    .intermediate_size = reader.integer("moe_intermediate_size", 1792),
                    .norm_topk_prob = reader.boolean("norm_topk_prob", true),
                    .sigmoid_scores = true,
                    .selection_bias = reader.boolean("use_expert_bias", true),
                    .norm_eps = 1e-6,
                    .routed_multiplier = reader.number("routed_scaling_factor", 1.0)};
  const int64_t dense = reader.integer("num_dense_layers", 2);
  for (int64_t i = 0; i < static_cast<int64_t>(config.layers.size()); ++i)
    config.layers[i].experts = i >= dense;
  return config;
}

Family lfm2_moe_family() { return {"lfm2_moe", read_lfm2_moe, kLfm2Names}; }

}  // namespace air
