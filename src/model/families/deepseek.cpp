// GLM-4.5 to 4.7 and DeepSeek: many small experts beside a shared one, in groups, chosen by a
// sigmoid of their own; most of them with latent attention.
#include <cmath>

#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

/// Defaults of the experts in transformers' config class of a family.
struct RoutedDefaults {
  int64_t num_experts, num_shared, num_experts_per_tok, intermediate_size;
  double multiplier;
  int64_t num_groups, groups_per_tok;
};

/// What all of them have; the router is each family's own.
ExpertConfig read_routed_experts(ConfigReader& reader, const RoutedDefaults& defaults) {
  ExpertConfig experts;
  experts.num_experts =
      read_num_experts(reader, "n_routed_experts", "num_local_experts", defaults.num_experts);
  experts.num_experts_per_tok = reader.integer("num_experts_per_tok", defaults.num_experts_per_tok);
  experts.intermediate_size = reader.integer("moe_intermediate_size", defaults.intermediate_size);
  experts.shared_intermediate_size =
      experts.intermediate_size * reader.positive_integer("n_shared_experts", defaults.num_shared);
  experts.routed_multiplier = reader.number("routed_scaling_factor", defaults.multiplier);
  experts.float_router = true;
  // Of training, and of other code that says what its code does.
  reader.harmless({"aux_loss_alpha", "seq_aux", "ep_size", "router_dtype"});
  reader.expect("moe_layer_freq", 1);
  return experts;
}

/// The best k of sigmoid + bias among the best groups.
ExpertConfig read_sigmoid_experts(ConfigReader& reader, const RoutedDefaults& defaults) {
  ExpertConfig experts = read_routed_experts(reader, defaults);
  experts.num_groups = reader.integer("n_group", defaults.num_groups);
  experts.groups_per_tok = reader.integer("topk_group", defaults.groups_per_tok);
  experts.norm_topk_prob = reader.boolean("norm_topk_prob", true);
  experts.sigmoid_scores = experts.selection_bias = true;
  experts.norm_eps = 1e-20;
  reader.expect("scoring_func", "sigmoid");
  reader.expect("topk_method", "noaux_tc");
  return experts;
}

void set_experts_from(ModelConfig& config, int64_t first) {
  for (int64_t i = first; i < static_cast<int64_t>(config.layers.size()); ++i)
    config.layers[i].experts = true;
}

/// Layers that predict more tokens lie after the last.
void read_mtp_layers(ConfigReader& reader, ModelConfig& config) {
  const char* key = reader.has("num_mtp_layers") ? "num_mtp_layers" : "num_nextn_predict_layers";
  config.num_mtp_layers = reader.integer(key, 1);
  reader.harmless({"num_mtp_layers", "num_nextn_predict_layers"});
  if (config.num_mtp_layers < 0 || config.num_mtp_layers > 100)
    reader.fail("\"" + std::string(key) + "\" is " + std::to_string(config.num_mtp_layers));
}

/// Defaults of latent attention in transformers' config class of a family.
struct LatentDefaults {
  std::optional<int64_t> q_rank;
  int64_t kv_rank, rope_dim, fixed_dim, v_head_dim;
};

/// How much yarn sharpens attention beside what it does to cosines and sines.
double yarn_sharpening(ConfigReader& reader) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json& object = reader.raw(key);
    if (!object.is_object()) continue;
    ConfigReader nested(object, reader.where() + ": " + key);
    const double all_dim = nested.number("mscale_all_dim", 0), factor = nested.number("factor", 1);
    if (all_dim == 0 || factor <= 1) continue;
    const double scale = 0.1 * all_dim * std::log(factor) + 1.0;
    return scale * scale;
  }
  return 1.0;
}

/// Latent attention in every layer. @param interleaved rotated pairs lie side by side
void read_latent(ConfigReader& reader, ModelConfig& config, const LatentDefaults& defaults,
                 bool interleaved) {
  config.latent = {.kv_rank = reader.positive_integer("kv_lora_rank", defaults.kv_rank),
                   .q_rank = reader.optional_integer("q_lora_rank", defaults.q_rank).value_or(0),
                   .rope_dim = reader.positive_integer("qk_rope_head_dim", defaults.rope_dim),
                   .norm_eps = 1e-6};
  if (config.latent.q_rank < 0) reader.fail("\"q_lora_rank\" must be positive or null");
  const int64_t fixed = reader.positive_integer("qk_nope_head_dim", defaults.fixed_dim);
  const int64_t v_head_dim = reader.positive_integer("v_head_dim", defaults.v_head_dim);
  config.head_dim = fixed + config.latent.rope_dim;
  const auto must_be = [&](const char* key, int64_t value, const char* others) {
    const int64_t found = reader.integer(key, value);
    if (found != value)
      reader.fail("\"" + std::string(key) + "\" is " + std::to_string(found) + ", " + others + " " +
                  std::to_string(value));
  };
  must_be("qk_head_dim", config.head_dim, "qk_nope_head_dim and qk_rope_head_dim make");
  must_be("head_dim", config.latent.rope_dim, "qk_rope_head_dim");  // transformers calls it so
  reader.harmless({"pretraining_tp"});
  must_be("num_key_value_heads", config.num_attention_heads, "num_attention_heads");
  config.num_key_value_heads = config.num_attention_heads;
  for (LayerConfig& layer : config.layers)
    layer.attention = {.num_heads = config.num_attention_heads,
                       .num_key_value_heads = config.num_attention_heads,
                       .head_dim = config.head_dim,
                       .v_head_dim = v_head_dim};
  config.ropes = {
      read_rope(reader, config, {.interleaved = interleaved, .head_dim = config.latent.rope_dim})};
  config.attention_scale = yarn_sharpening(reader) /
                           std::sqrt(static_cast<double>(std::max<int64_t>(config.head_dim, 1)));
}

ModelConfig read_latent_llama(ConfigReader& reader, const SizeDefaults& sizes, double eps) {
  return read_llama_like(reader, sizes, {.rms_norm_eps = eps, .rope = std::nullopt});
}

constexpr TensorNames kDeepseekNames = {.shared_expert = "mlp.shared_experts",
                                        .shared_gate = nullptr};

}  // namespace

static ModelConfig read_glm4_moe(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {151552, 4096, 10944, 46, 96, 8, {}, 131072},
                      {.rms_norm_eps = 1e-5, .rope = RopeDefaults{.partial_rotary_factor = 0.5}});
  config.o_bias = false;
  if (reader.boolean("use_qk_norm", false)) config.qk_norm = QkNorm::kHead;
  config.experts = read_sigmoid_experts(reader, {128, 1, 8, 1408, 1.0, 1, 1});
  set_experts_from(config, reader.integer("first_k_dense_replace", 1));
  read_mtp_layers(reader, config);
  return config;
}

Family glm4_moe_family() { return {"glm4_moe", read_glm4_moe, kDeepseekNames}; }

static ModelConfig read_glm4_moe_lite(ConfigReader& reader) {
  ModelConfig config =
      read_latent_llama(reader, {154880, 2048, 10240, 47, 20, 20, {}, 202752}, 1e-5);
  read_latent(reader, config, {768, 512, 64, 192, 256}, reader.boolean("rope_interleave", true));
  config.experts = read_sigmoid_experts(reader, {64, 1, 4, 1536, 1.8, 1, 1});
  const std::vector<std::string> types = reader.strings("mlp_layer_types");
  if (!types.empty() && types.size() != config.layers.size())
    reader.fail("mlp_layer_types has " + std::to_string(types.size()) +
                " entries, num_hidden_layers is " + std::to_string(config.layers.size()));
  for (size_t i = 0; i < config.layers.size(); ++i) {
    if (!types.empty() && types[i] != "dense" && types[i] != "sparse")
      reader.fail("unknown type \"" + types[i] + "\" in mlp_layer_types", "known: dense, sparse");
    config.layers[i].experts = types.empty() ? i > 0 : types[i] == "sparse";
  }
  // Published folders have it; transformers does not read it.
  if (types.empty()) reader.expect("first_k_dense_replace", 1);
  reader.harmless({"first_k_dense_replace"});
  read_mtp_layers(reader, config);
  return config;
}

Family glm4_moe_lite_family() { return {"glm4_moe_lite", read_glm4_moe_lite, kDeepseekNames}; }

static ModelConfig read_deepseek_v3(ConfigReader& reader) {
  ModelConfig config =
      read_latent_llama(reader, {129280, 7168, 18432, 61, 128, 128, {}, 4096}, 1e-6);
  read_latent(reader, config, {1536, 512, 64, 128, 128}, reader.boolean("rope_interleave", true));
  config.experts = read_sigmoid_experts(reader, {256, 1, 8, 2048, 2.5, 8, 4});
  set_experts_from(config, reader.integer("first_k_dense_replace", 3));
  read_mtp_layers(reader, config);
  return config;
}

Family deepseek_v3_family() { return {"deepseek_v3", read_deepseek_v3, kDeepseekNames}; }

static ModelConfig read_deepseek_v2(ConfigReader& reader) {
  ModelConfig config = read_latent_llama(reader, {102400, 4096, 11008, 32, 32, {}, {}, 2048}, 1e-6);
  read_latent(reader, config, {1536, 512, 64, 128, 128}, true);
  reader.expect("mlp_bias", false);
  config.experts = read_routed_experts(reader, {64, 2, 0, 1407, 1.0, 1, 1});
  reader.expect("norm_topk_prob", false);  // transformers has the key and does not apply it
  reader.expect("scoring_func", "softmax");
  const auto groups = reader.optional_integer("n_group", std::nullopt),
             of_token = reader.optional_integer("topk_group", std::nullopt);
  const std::string method = reader.string("topk_method", "greedy");
  if (method == "group_limited_greedy") {
    if (!groups || !of_token)
      reader.fail("\"topk_method\" is group_limited_greedy, without \"n_group\" or \"topk_group\"");
    config.experts.num_groups = *groups;
    config.experts.groups_per_tok = *of_token;
    config.experts.best_expert_ranks_group = true;
  } else if (method != "greedy") {
    reader.fail("unknown topk_method \"" + method + "\"", "known: greedy, group_limited_greedy");
  }
  set_experts_from(config, reader.integer("first_k_dense_replace", 0));
  return config;
}

Family deepseek_v2_family() { return {"deepseek_v2", read_deepseek_v2, kDeepseekNames}; }

}  // namespace air
