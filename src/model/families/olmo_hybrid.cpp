// Olmo Hybrid: OLMo 3's attention layers, without windows, between pre-norm Gated DeltaNets.
#include "model/families/config_parts.h"
#include "model/families/families.h"
#include "model/families/hybrid_parts.h"

namespace air {

namespace {

/// rope_parameters with a base of null: the layers have no positions.
bool has_no_positions(ConfigReader& reader) {
  const Json& parameters = reader.raw("rope_parameters");
  return parameters.is_object() && parameters.contains("rope_theta") &&
         parameters["rope_theta"].is_null();
}

}  // namespace

static ModelConfig read_olmo_hybrid(ConfigReader& reader) {
  const bool no_positions = has_no_positions(reader);
  ModelConfig config =
      read_llama_like(reader, {100352, 3840, 11008, 32, 30, {}, {}, 65536}, {.rope = std::nullopt});
  if (!no_positions) config.ropes = {read_rope(reader, config, {})};
  for (LayerConfig& layer : config.layers)
    if (no_positions) layer.rope = std::nullopt;
  config.norm.in_float32 = true;
  config.qk_norm = QkNorm::kProjection;
  const int64_t heads = reader.positive_integer("linear_num_key_heads", config.num_attention_heads);
  const int64_t key_dim = reader.positive_integer(
      "linear_key_head_dim", static_cast<int64_t>(0.75 * static_cast<double>(config.hidden_size) /
                                                  static_cast<double>(heads)));
  read_gated_delta(reader, config, {heads, config.num_attention_heads, key_dim, 2 * key_dim, 4});
  config.gated_delta.norm_eps = 1e-5;  // fixed in transformers
  if (reader.boolean("linear_allow_neg_eigval", true)) config.gated_delta.beta_multiplier = 2.0;
  read_mixers(reader, config, "linear_attention", Mixer::kGatedDelta, [&](int64_t i) {
    return i % 4 == 3 || (config.num_hidden_layers < 4 && i == config.num_hidden_layers - 1);
  });
  // How weights are drawn.
  reader.harmless({"linear_a_log_min", "linear_a_log_max", "linear_dt_min", "linear_dt_max",
                   "linear_dt_init_floor"});
  return config;
}

constexpr TensorNames kOlmoHybridNames = {
    .other_parts = {"mtp."},
    .attention_norm = nullptr,
    .attention_post_norm = "post_attention_layernorm",
    .mlp_norm = nullptr,
    .mlp_post_norm = "post_feedforward_layernorm",
    .delta = {.qkv_proj = nullptr,
              .q_proj = "linear_attn.q_proj",
              .k_proj = "linear_attn.k_proj",
              .v_proj = "linear_attn.v_proj",
              .z_proj = "linear_attn.g_proj",
              .b_proj = "linear_attn.b_proj",
              .a_proj = "linear_attn.a_proj",
              .conv = nullptr,
              .qkv_convs = {"linear_attn.q_conv1d", "linear_attn.k_conv1d", "linear_attn.v_conv1d"},
              .out_norm = "linear_attn.o_norm",
              .out_proj = "linear_attn.o_proj",
              .layer_norm = "attention_layer_norm",
              .mlp_norm = "feedforward_layer_norm"}};

Family olmo_hybrid_family() { return {"olmo_hybrid", read_olmo_hybrid, kOlmoHybridNames}; }

}  // namespace air
