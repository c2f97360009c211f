// OLMo 2 and 3: norms after attention and MLP, not before; queries and keys normalised over all
// heads together.
#include <optional>
#include <utility>

#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

ModelConfig read_olmo(ConfigReader& reader, std::optional<RopeDefaults> rope) {
  ModelConfig config = read_llama_like(reader, {50304, 4096, 11008, 32, 32, {}, {}, 2048},
                                       {.rms_norm_eps = 1e-5, .rope = std::move(rope)});
  config.norm.in_float32 = true;
  config.qk_norm = QkNorm::kProjection;
  return config;
}

}  // namespace

static ModelConfig read_olmo2(ConfigReader& reader) { return read_olmo(reader, RopeDefaults{}); }

constexpr TensorNames kOlmo2Names = {.attention_norm = nullptr,
                                     .attention_post_norm = "post_attention_layernorm",
                                     .mlp_norm = nullptr,
                                     .mlp_post_norm = "post_feedforward_layernorm"};

Family olmo2_family() { return {"olmo2", read_olmo2, kOlmo2Names}; }

/// EXAONE 4: OLMo's places of the norms, queries and keys normalised head by head. Where layers
/// have windows, the others have no positions.
static ModelConfig read_exaone4(ConfigReader& reader) {
  ModelConfig config = read_llama_like(reader, {102400, 4096, 16384, 32, 32, 32, {}, 2048},
                                       {.rms_norm_eps = 1e-5, .attention_bias = std::nullopt});
  config.qk_norm = QkNorm::kHead;
  const auto window = reader.optional_integer("sliding_window", 4096);
  int64_t pattern = 1;
  if (reader.has("layer_types"))
    reader.harmless({"sliding_window_pattern"});
  else
    pattern = reader.positive_integer("sliding_window_pattern", 4);
  const auto types = read_layer_types(reader, config.num_hidden_layers, [&](int64_t i) {
    return sliding_if((i + 1) % pattern != 0);
  });
  set_windows(reader, config, types, window);
  if (window)
    for (LayerConfig& layer : config.layers)
      if (!layer.window) layer.rope = std::nullopt;
  return config;
}

Family exaone4_family() { return {"exaone4", read_exaone4, kOlmo2Names}; }

static ModelConfig read_olmo3(ConfigReader& reader) {
  ModelConfig config = read_olmo(reader, std::nullopt);
  const auto types = read_layer_types(reader, config.num_hidden_layers,
                                      [](int64_t i) { return sliding_if((i + 1) % 4 != 0); });
  set_windows(reader, config, types, reader.optional_integer("sliding_window", 4096));
  // rope_theta is the full layers'; transformers gives the sliding ones the default.
  const double theta = reader.number("rope_theta", 5e5);
  set_ropes(config, read_ropes_by_layer_type(reader, config, theta, 5e5));
  return config;
}

Family olmo3_family() { return {"olmo3", read_olmo3, kOlmo2Names}; }

}  // namespace air
