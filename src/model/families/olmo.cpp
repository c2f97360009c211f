// OLMo 2 and 3: norms after attention and MLP, not before; queries and keys normalised over all
// heads together.
#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

ModelConfig read_olmo(ConfigReader& reader) {
  ModelConfig config = read_sizes(reader, {50304, 4096, 11008, 32, 32, {}, {}, 2048});
  config.norm = read_rms_norm(reader, 1e-5);
  config.norm.in_float32 = true;
  config.qk_norm = QkNorm::kProjection;
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  return config;
}

}  // namespace

ModelConfig read_olmo2(ConfigReader& reader) {
  ModelConfig config = read_olmo(reader);
  config.ropes = {read_rope(reader, config, {})};
  return config;
}

ModelConfig read_olmo3(ConfigReader& reader) {
  ModelConfig config = read_olmo(reader);
  const auto sliding = read_sliding_layers(reader, config.num_hidden_layers,
                                           [](int64_t i) { return (i + 1) % 4 != 0; });
  set_windows(reader, config, sliding, reader.optional_integer("sliding_window", 4096));
  // rope_theta is the full layers'; transformers gives the sliding ones the default.
  const double theta = reader.number("rope_theta", 5e5);
  set_ropes(config, read_ropes_by_layer_type(reader, config, theta, 5e5));
  return config;
}

}  // namespace air
