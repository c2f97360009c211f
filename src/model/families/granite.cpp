// Granite: Llama with multipliers; Granite 4 with Mamba-2 layers, and with experts beside a shared
// one.
#include "model/families/config_parts.h"
#include "model/families/families.h"
#include "model/families/hybrid_parts.h"

namespace air {

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

namespace {

void set_layer_types(ConfigReader& reader, ModelConfig& config) {
  const char* key = reader.has("layer_types") ? "layer_types" : "layers_block_type";
  const std::vector<std::string> types = reader.strings(key);
  reader.harmless({"layer_types", "layers_block_type"});
  if (!types.empty() && types.size() != config.layers.size())
    reader.fail(std::string(key) + " has " + std::to_string(types.size()) +
                " entries, num_hidden_layers is " + std::to_string(config.num_hidden_layers));
  for (size_t i = 0; i < config.layers.size(); ++i) {
    const std::string type = types.empty() ? "linear_attention" : types[i];
    if (type == "attention" || type == "full_attention") continue;
    if (type != "mamba" && type != "linear_attention")
      reader.fail("unknown layer type \"" + type + "\" in " + key,
                  "known: full_attention, linear_attention");
    config.layers[i].mixer = Mixer::kMamba2;
    config.layers[i].rope = std::nullopt;
  }
}

/// Every layer has a shared MLP; experts are beside it, or there are none.
void read_shared_mlp(ConfigReader& reader, ModelConfig& config) {
  const int64_t shared = reader.positive_integer("shared_intermediate_size", 1024);
  const int64_t num_experts = reader.integer("num_local_experts", 8);
  const int64_t num_experts_per_tok = reader.integer("num_experts_per_tok", 2);
  if (num_experts == 0) {
    config.intermediate_size = shared;
    return;
  }
  config.experts = {.num_experts = num_experts,
                    .num_experts_per_tok = num_experts_per_tok,
                    .intermediate_size = config.intermediate_size,
                    .softmax_after_top_k = true,
                    .shared_intermediate_size = shared};
  for (LayerConfig& layer : config.layers) layer.experts = true;
}

}  // namespace

static ModelConfig read_granitemoehybrid(ConfigReader& reader) {
  ModelConfig config = read_granite(reader);
  const std::string positions = reader.string("position_embedding_type", "nope");
  if (positions != "rope" && positions != "nope")
    reader.fail("unknown position_embedding_type \"" + positions + "\"", "known: rope, nope");
  if (positions == "nope")
    for (LayerConfig& layer : config.layers) layer.rope = std::nullopt;
  set_layer_types(reader, config);
  read_shared_mlp(reader, config);
  if (config.has_mixer(Mixer::kMamba2)) {
    config.mamba2 = read_mamba2(reader, config, std::nullopt);
    config.mamba2.out_bias = config.mamba2.in_bias;
  } else {
    reader.harmless({"mamba_n_heads", "mamba_n_groups", "mamba_d_state", "mamba_d_head",
                     "mamba_d_conv", "mamba_expand", "mamba_chunk_size", "mamba_conv_bias",
                     "mamba_proj_bias", "time_step_limit"});
  }
  reader.harmless({"time_step_min", "time_step_max", "normalization_function", "init_method"});
  reader.expect("mlp_bias", false);
  return config;
}

constexpr TensorNames kGraniteHybridNames = {.gate_up_proj = "shared_mlp.input_linear",
                                             .down_proj = "shared_mlp.output_linear",
                                             .router = "block_sparse_moe.router.layer",
                                             .shared_expert = "shared_mlp",
                                             .shared_gate = nullptr,
                                             .shared_gate_up_proj = "input_linear",
                                             .shared_down_proj = "output_linear",
                                             .experts = "block_sparse_moe",
                                             .stacked_gate_up = "input_linear.weight",
                                             .stacked_down = "output_linear.weight"};

Family granitemoehybrid_family() {
  return {"granitemoehybrid", read_granitemoehybrid, kGraniteHybridNames};
}

}  // namespace air
