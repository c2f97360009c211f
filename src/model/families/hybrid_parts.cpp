#include "model/families/hybrid_parts.h"

namespace air {

void read_gated_delta(ConfigReader& reader, ModelConfig& config,
                      const GatedDeltaDefaults& defaults) {
  GatedDeltaConfig& delta = config.gated_delta;
  delta.num_key_heads = reader.positive_integer("linear_num_key_heads", defaults.num_key_heads);
  delta.num_value_heads =
      reader.positive_integer("linear_num_value_heads", defaults.num_value_heads);
  delta.key_head_dim = reader.positive_integer("linear_key_head_dim", defaults.key_head_dim);
  delta.value_head_dim = reader.positive_integer("linear_value_head_dim", defaults.value_head_dim);
  delta.conv_width = reader.positive_integer("linear_conv_kernel_dim", defaults.conv_width);
  delta.norm_eps = config.norm.eps;
  if (delta.num_value_heads % delta.num_key_heads != 0)
    reader.fail("linear_num_value_heads " + std::to_string(delta.num_value_heads) +
                " is not a multiple of linear_num_key_heads " +
                std::to_string(delta.num_key_heads));
}

void read_mixers(ConfigReader& reader, ModelConfig& config, const std::string& other, Mixer mixer,
                 const std::function<bool(int64_t)>& is_attention) {
  const auto num_layers = static_cast<int64_t>(config.layers.size());
  const bool listed = reader.has("layer_types");
  const std::vector<std::string> types = reader.strings("layer_types");
  if (listed && static_cast<int64_t>(types.size()) != num_layers)
    reader.fail("layer_types has " + std::to_string(types.size()) +
                " entries, num_hidden_layers is " + std::to_string(num_layers));
  for (int64_t i = 0; i < num_layers; ++i) {
    if (listed && types[i] != "full_attention" && types[i] != other)
      reader.fail("unknown layer type \"" + types[i] + "\"", "known: full_attention, " + other);
    if (listed ? types[i] == "full_attention" : is_attention(i)) continue;
    config.layers[i].mixer = mixer;
    config.layers[i].rope = std::nullopt;
  }
}

}  // namespace air
