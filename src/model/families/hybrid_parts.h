// What the config.json files of hybrids have in common: families in which some layers have
// something else than softmax attention.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/config_reader.h"
#include "model/model_config.h"

namespace air {

/// Defaults of the sizes of a Gated DeltaNet in transformers' config class of a family.
struct GatedDeltaDefaults {
  int64_t num_key_heads, num_value_heads, key_head_dim, value_head_dim, conv_width;
};

/// The keys `linear_num_key_heads` … into config.gated_delta. @param config norms must be read.
/// @throws Error(kModel) for sizes that do not fit each other.
void read_gated_delta(ConfigReader& reader, ModelConfig& config,
                      const GatedDeltaDefaults& defaults);

/// What the steps of a Mamba-2 are clamped to.
struct StepLimits {
  double least, most;
};

/// Two numbers, of which transformers writes an infinite one as {"__float__": "Infinity"}; 0 and
/// infinity when the key is missing.
StepLimits read_step_limits(ConfigReader& reader, const std::string& key);

/// @param heads_key, groups_key of config.json, for the message
/// @throws Error(kModel) for sizes that do not fit each other.
void check_mamba2(const ConfigReader& reader, const Mamba2Config& mamba, const char* heads_key,
                  const char* groups_key);

/// The keys `mamba_n_heads` … of Falcon-H1 and Granite 4: a Mamba-2 with a norm after the gate and
/// no bias in its output projection. @param config norms and the activation must be read.
/// @param channels of all heads together; none: `mamba_expand` times hidden_size
/// @throws Error(kModel) for sizes that do not fit each other.
Mamba2Config read_mamba2(ConfigReader& reader, const ModelConfig& config,
                         std::optional<int64_t> channels);

/// `layer_types`: "full_attention" or `other`, which is `mixer`. Without the key, full_attention
/// where `is_attention(i)`. Other layers have no positions.
/// @throws Error(kModel) for a type that is not known, or another number of layers.
void read_mixers(ConfigReader& reader, ModelConfig& config, const std::string& other, Mixer mixer,
                 const std::function<bool(int64_t)>& is_attention);

}  // namespace air
