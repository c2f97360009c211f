#include "model/families/hybrid_parts.h"

#include <cmath>
#include <limits>

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

StepLimits read_step_limits(ConfigReader& reader, const std::string& key) {
  const Json& limits = reader.raw(key);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (limits.is_null()) return {0.0, kInfinity};
  static const Json kTagged = {{"__float__", "Infinity"}};
  const auto is_limit = [](const Json& limit) { return limit.is_number() || limit == kTagged; };
  if (!limits.is_array() || limits.size() != 2 || !is_limit(limits[0]) || !is_limit(limits[1]))
    reader.fail("\"" + key + "\" is " + limits.dump() + ", two numbers are expected");
  const auto value = [&](const Json& limit) {
    return limit.is_number() ? limit.get<double>() : kInfinity;
  };
  return {value(limits[0]), value(limits[1])};
}

void check_mamba2(const ConfigReader& reader, const Mamba2Config& mamba, const char* heads_key,
                  const char* groups_key) {
  if (mamba.num_heads % mamba.num_groups != 0)
    reader.fail(std::string(heads_key) + " " + std::to_string(mamba.num_heads) +
                " is not a multiple of " + groups_key + " " + std::to_string(mamba.num_groups));
}

Mamba2Config read_mamba2(ConfigReader& reader, const ModelConfig& config,
                         std::optional<int64_t> channels) {
  Mamba2Config mamba;
  const int64_t expand = reader.positive_integer("mamba_expand", 2);
  const int64_t width = channels.value_or(expand * config.hidden_size);
  mamba.num_heads = reader.positive_integer("mamba_n_heads", 128);
  const bool derived = !reader.has("mamba_d_head") || reader.raw("mamba_d_head") == Json("auto");
  mamba.head_dim = derived ? width / mamba.num_heads : reader.positive_integer("mamba_d_head", 1);
  if (mamba.head_dim * mamba.num_heads != width)
    reader.fail("mamba_n_heads " + std::to_string(mamba.num_heads) + " of mamba_d_head " +
                std::to_string(mamba.head_dim) + " are not the " + std::to_string(width) +
                " channels that mamba_d_ssm, or mamba_expand times hidden_size, ask for");
  mamba.num_groups = reader.positive_integer("mamba_n_groups", 1);
  mamba.state_size = reader.positive_integer("mamba_d_state", 256);
  mamba.conv_width = reader.positive_integer("mamba_d_conv", 4);
  mamba.conv_bias = reader.boolean("mamba_conv_bias", true);
  mamba.in_bias = reader.boolean("mamba_proj_bias", false);
  mamba.activation = config.hidden_act;
  const StepLimits limits = read_step_limits(reader, "time_step_limit");
  mamba.min_step = limits.least;
  mamba.max_step = limits.most;
  mamba.norm_eps = config.norm.eps;
  check_mamba2(reader, mamba, "mamba_n_heads", "mamba_n_groups");
  reader.harmless({"mamba_chunk_size"});
  return mamba;
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
