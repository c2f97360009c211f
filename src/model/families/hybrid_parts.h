// What the config.json files of hybrids have in common: families in which some layers have
// something else than softmax attention.
#pragma once

#include <cstdint>
#include <functional>
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

/// `layer_types`: "full_attention" or `other`, which is `mixer`. Without the key, full_attention
/// where `is_attention(i)`. Other layers have no positions.
/// @throws Error(kModel) for a type that is not known, or another number of layers.
void read_mixers(ConfigReader& reader, ModelConfig& config, const std::string& other, Mixer mixer,
                 const std::function<bool(int64_t)>& is_attention);

}  // namespace air
