// Nemotron-H and Nemotron 3: a layer is one thing, a Mamba-2, attention without positions, an MLP
// or a mixture of experts.
#include <cmath>
#include <limits>

#include "model/families/config_parts.h"
#include "model/families/families.h"
#include "model/families/hybrid_parts.h"

namespace air {

namespace {

/// The kinds of layers, one after another, as any version of transformers has spelled them.
std::vector<std::string> read_block_types(ConfigReader& reader) {
  reader.harmless({"layers_block_type", "layer_types", "hybrid_override_pattern"});
  for (const char* key : {"layers_block_type", "layer_types"})
    if (reader.has(key)) return reader.strings(key);
  if (!reader.has("hybrid_override_pattern"))
    return {"linear_attention", "moe", "full_attention", "mlp"};
  std::vector<std::string> types;
  for (const char kind : reader.string("hybrid_override_pattern")) {
    if (kind != 'M' && kind != 'E' && kind != '*' && kind != '-')
      reader.fail(std::string("hybrid_override_pattern has an unknown letter \"") + kind + "\"",
                  "known: M, E, *, -");
    types.push_back(kind == 'M'   ? "linear_attention"
                    : kind == 'E' ? "moe"
                    : kind == '*' ? "full_attention"
                                  : "mlp");
  }
  return types;
}

void set_block_types(const ConfigReader& reader, ModelConfig& config,
                     const std::vector<std::string>& types) {
  LayerConfig layer = config.layers.empty() ? LayerConfig{} : config.layers.front();
  layer.rope = std::nullopt;
  config.layers.assign(types.size(), layer);
  for (size_t i = 0; i < types.size(); ++i) {
    LayerConfig& here = config.layers[i];
    const std::string& type = types[i];
    if (type == "full_attention" || type == "attention") {
      here.mlp = false;
    } else if (type == "linear_attention" || type == "mamba") {
      here.mixer = Mixer::kMamba2;
      here.mlp = false;
    } else if (type == "mlp" || type == "moe") {
      here.mixer = Mixer::kNone;
      here.experts = type == "moe";
    } else {
      reader.fail("unknown layer type \"" + type + "\" in layers_block_type",
                  "known: linear_attention, full_attention, mlp, moe");
    }
  }
}

ExpertConfig read_nemotron_experts(ConfigReader& reader, const ModelConfig& config) {
  ExpertConfig experts;
  experts.num_experts = read_num_experts(reader, "n_routed_experts", "num_local_experts", 8);
  experts.num_experts_per_tok = reader.integer("num_experts_per_tok", 2);
  experts.intermediate_size = reader.integer("moe_intermediate_size", 7688);
  experts.shared_intermediate_size =
      reader.positive_integer("moe_shared_expert_intermediate_size", 7688);
  experts.latent_size = reader.optional_integer("moe_latent_size", std::nullopt).value_or(0);
  experts.shared_bias = config.mlp_bias;
  experts.float_router = experts.sigmoid_scores = experts.selection_bias = true;
  experts.norm_topk_prob = reader.boolean("norm_topk_prob", true);
  experts.norm_eps = 1e-20;
  experts.routed_multiplier = reader.number("routed_scaling_factor", 1.0);
  experts.num_groups = reader.integer("n_group", 1);
  experts.groups_per_tok = reader.integer("topk_group", 1);
  // One shared expert, as wide as the key above says.
  reader.expect("n_shared_experts", 1);
  reader.harmless({"moe_shared_expert_overlap"});
  return experts;
}

/// A size under the key of this type, or under the one that its kin have, which goes first.
int64_t read_either(ConfigReader& reader, const char* kin, const char* key, int64_t fallback) {
  const int64_t own = reader.positive_integer(key, fallback);
  return reader.positive_integer(kin, own);
}

Mamba2Config read_nemotron_mamba2(ConfigReader& reader, double norm_eps) {
  Mamba2Config mamba;
  mamba.num_heads = reader.positive_integer("mamba_num_heads", 128);
  mamba.head_dim = reader.positive_integer("mamba_head_dim", 64);
  mamba.num_groups = read_either(reader, "mamba_n_groups", "n_groups", 8);
  mamba.state_size = reader.positive_integer("ssm_state_size", 128);
  mamba.conv_width = read_either(reader, "mamba_d_conv", "conv_kernel", 4);
  const bool conv_bias = reader.boolean("use_conv_bias", true);
  mamba.conv_bias = reader.boolean("mamba_conv_bias", conv_bias);
  mamba.in_bias = mamba.out_bias = reader.boolean("use_bias", false);
  mamba.activation = read_activation(reader, "mamba_hidden_act", "silu");
  // transformers takes its lower limit from here, and time_step_limit not at all.
  const double least = reader.number("time_step_min", 0.001);
  mamba.min_step = reader.number("mamba_dt_min", least);
  mamba.max_step = std::numeric_limits<double>::infinity();
  mamba.norm_eps = norm_eps;
  check_mamba2(reader, mamba, "mamba_num_heads", "n_groups");
  for (const char* key : {"time_step_limit", "mamba_dt_limit"}) {
    const StepLimits limits = read_step_limits(reader, key);
    if (limits.least != 0 || !std::isinf(limits.most))
      reader.fail(std::string("\"") + key +
                  "\" is not applied by transformers: air supports only " +
                  "the limits 0 and infinity");
  }
  reader.expect("mamba_proj_bias", false);
  // How weights are drawn; chunks, caches and sizes that follow from others.
  reader.harmless({"time_step_max", "time_step_floor", "mamba_dt_max", "mamba_dt_init_floor",
                   "chunk_size", "mamba_chunk_size", "mamba_ssm_cache_dtype", "expand",
                   "mamba_expand", "use_mamba_kernels"});
  return mamba;
}

}  // namespace

static ModelConfig read_nemotron_h(ConfigReader& reader) {
  const std::vector<std::string> types = read_block_types(reader);
  const auto num_layers = static_cast<int64_t>(types.size());
  ModelConfig config = read_sizes(reader, {131072, 4096, 21504, num_layers, 32, 8, 128, 4096});
  if (config.num_hidden_layers != num_layers)
    reader.fail("num_hidden_layers is " + std::to_string(config.num_hidden_layers) +
                ", the layers' kinds are " + std::to_string(num_layers));
  set_block_types(reader, config, types);
  config.norm = {
      .kind = NormKind::kRms, .eps = reader.number("layer_norm_epsilon", 1e-5), .in_float32 = true};
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.hidden_act = read_activation(reader, "mlp_hidden_act", "relu2");
  config.mlp_gate = false;
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.experts = read_nemotron_experts(reader, config);
  config.mamba2 = read_nemotron_mamba2(reader, config.norm.eps);
  reader.expect("attention_bias", false);
  reader.expect("sliding_window", nullptr);
  reader.expect("attention_head_dim", config.head_dim);  // of its own code
  // Its attention has no positions. Layers that predict more tokens lie apart.
  reader.harmless({"rope_theta", "rope_parameters", "rope_scaling", "partial_rotary_factor",
                   "num_nextn_predict_layers", "mtp_layers_block_type",
                   "mtp_hybrid_override_pattern", "num_logits_to_keep", "residual_in_fp32",
                   "rescale_prenorm_residual"});
  return config;
}

constexpr TensorNames kNemotronNames = {.prefixes = {"backbone.", "model.", ""},
                                        .other_parts = {"mtp."},
                                        .embed_tokens = "embeddings",
                                        .final_norm = "norm_f",
                                        .attention_norm = "norm",
                                        .mlp_norm = "norm",
                                        .q_proj = "mixer.q_proj",
                                        .k_proj = "mixer.k_proj",
                                        .v_proj = "mixer.v_proj",
                                        .o_proj = "mixer.o_proj",
                                        .mamba2 = {.in_proj = "mixer.in_proj",
                                                   .conv = "mixer.conv1d",
                                                   .a_log = "mixer.A_log",
                                                   .step_bias = "mixer.dt_bias",
                                                   .skip = "mixer.D",
                                                   .norm = "mixer.norm",
                                                   .out_proj = "mixer.out_proj"},
                                        .up_proj = "mixer.up_proj",
                                        .down_proj = "mixer.down_proj",
                                        .router = "mixer.gate",
                                        .selection_bias = "mixer.gate.e_score_correction_bias",
                                        .shared_expert = "mixer.shared_experts",
                                        .shared_gate = nullptr,
                                        .experts = "mixer.experts",
                                        .stacked_gate_up = "up_proj",
                                        .latent_in = "mixer.fc1_latent_proj",
                                        .latent_out = "mixer.fc2_latent_proj"};

Family nemotron_h_family() { return {"nemotron_h", read_nemotron_h, kNemotronNames}; }

}  // namespace air
