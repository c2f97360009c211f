// Falcon-H1: attention and a Mamba-2 side by side in every layer, and a multiplier for each part.
#include "model/families/config_parts.h"
#include "model/families/families.h"
#include "model/families/hybrid_parts.h"

namespace air {

namespace {

/// A list of so many numbers; ones when the key is missing.
std::vector<double> read_multipliers(ConfigReader& reader, const std::string& key, size_t count) {
  if (!reader.has(key)) return std::vector<double>(count, 1.0);
  std::vector<double> multipliers = reader.numbers(key);
  if (multipliers.size() != count)
    reader.fail("\"" + key + "\" has " + std::to_string(multipliers.size()) + " numbers, " +
                std::to_string(count) + " are expected");
  return multipliers;
}

Mamba2Config read_falcon_mamba2(ConfigReader& reader, const ModelConfig& config) {
  Mamba2Config mamba = read_mamba2(reader, config, reader.optional_integer("mamba_d_ssm", 1024));
  mamba.out_bias = reader.boolean("projectors_bias", false);
  mamba.norm = reader.boolean("mamba_rms_norm", false);
  mamba.norm_before_gate = reader.boolean("mamba_norm_before_gate", true);
  const std::vector<double> parts = read_multipliers(reader, "ssm_multipliers", 5);
  mamba.multipliers = {.input = reader.number("ssm_in_multiplier", 1.0),
                       .output = reader.number("ssm_out_multiplier", 1.0),
                       .gate = parts[0],
                       .x = parts[1],
                       .b = parts[2],
                       .c = parts[3],
                       .step = parts[4]};
  return mamba;
}

}  // namespace

static ModelConfig read_falcon_h1(ConfigReader& reader) {
  ModelConfig config =
      read_llama_like(reader, {128000, 4096, 14336, 32, 32, 8, {}, 8192}, {.rms_norm_eps = 1e-5});
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.mamba2 = read_falcon_mamba2(reader, config);
  config.embedding_multiplier = reader.number("embedding_multiplier", 1.0);
  config.logit_multiplier = reader.number("lm_head_multiplier", 1.0);
  config.attention_in_multiplier = reader.number("attention_in_multiplier", 1.0);
  config.attention_out_multiplier = reader.number("attention_out_multiplier", 1.0);
  // A key times a number is a score times that number.
  config.attention_scale *= reader.number("key_multiplier", 1.0);
  const std::vector<double> of_mlp = read_multipliers(reader, "mlp_multipliers", 2);
  config.mlp_gate_multiplier = of_mlp[0];
  config.mlp_out_multiplier = of_mlp[1];
  for (LayerConfig& layer : config.layers) layer.mixer = Mixer::kAttentionAndMamba2;
  reader.expect("attn_layer_indices", nullptr);
  reader.expect("mamba_use_mlp", true);
  reader.harmless({"num_logits_to_keep"});
  return config;
}

constexpr TensorNames kFalconNames = {.final_norm = "final_layernorm",
                                      .mlp_norm = "pre_ff_layernorm",
                                      .gate_proj = "feed_forward.gate_proj",
                                      .up_proj = "feed_forward.up_proj",
                                      .down_proj = "feed_forward.down_proj"};

Family falcon_h1_family() { return {"falcon_h1", read_falcon_h1, kFalconNames}; }

}  // namespace air
