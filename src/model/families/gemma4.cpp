// Gemma 4: layers with and without a window differ in the size and number of their heads; the last
// layers may read the keys and values of earlier ones, and a layer may add an embedding of its own.
#include <charconv>
#include <cmath>

#include "model/families/config_parts.h"
#include "model/families/families.h"

namespace air {

namespace {

using LayerTypes = std::vector<LayerType>;

LayerTypes read_gemma4_layer_types(ConfigReader& reader, int64_t num_layers) {
  LayerTypes types =
      read_layer_types(reader, num_layers, [](int64_t i) { return sliding_if((i + 1) % 6 != 0); });
  // Whatever the file says, as transformers does.
  if (!types.empty()) types.back() = LayerType::kFullAttention;
  return types;
}

/// `per_layer_config`: {"5": {"head_dim": 512, "num_key_value_heads": 1}, …}, as transformers saves
/// it.
void read_per_layer_config(const ConfigReader& reader, const Json& object, ModelConfig& config) {
  const std::string where = reader.where() + ": per_layer_config";
  if (!object.is_object()) reader.fail("\"per_layer_config\" is not an object");
  for (const auto& [key, overrides] : object.items()) {
    int64_t index = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index < 0 ||
        index >= static_cast<int64_t>(config.layers.size()))
      reader.fail("\"per_layer_config\" has the key \"" + key + "\", which is not a layer");
    if (!overrides.is_object()) reader.fail("\"per_layer_config\" holds " + overrides.dump());
    ConfigReader nested(overrides, where + "." + key, reader.ignored());
    AttentionSizes& sizes = config.layers[index].attention;
    sizes.head_dim = sizes.v_head_dim = nested.positive_integer("head_dim", sizes.head_dim);
    sizes.num_key_value_heads =
        nested.positive_integer("num_key_value_heads", sizes.num_key_value_heads);
    nested.expect("skip", Json::array());
    nested.finish();
  }
}

/// The heads of the layers without a window, and their values.
void read_full_layers(ConfigReader& reader, ModelConfig& config, const LayerTypes& types) {
  const bool keys_as_values = reader.boolean("attention_k_eq_v", false);
  const int64_t head_dim = reader.integer("global_head_dim", 512);
  const auto kv_heads = reader.optional_integer("num_global_key_value_heads", std::nullopt);
  const Json& per_layer = reader.raw("per_layer_config");
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] != LayerType::kFullAttention) continue;
    LayerConfig& layer = config.layers[i];
    layer.keys_as_values = keys_as_values;
    if (!per_layer.is_null()) continue;  // it says all, as in transformers
    layer.attention.head_dim = layer.attention.v_head_dim = head_dim;
    if (keys_as_values && kv_heads) layer.attention.num_key_value_heads = *kv_heads;
  }
  if (!per_layer.is_null()) read_per_layer_config(reader, per_layer, config);
}

/// A rotary embedding for each of the two types, whose layers must be alike in head_dim.
void read_gemma4_ropes(ConfigReader& reader, ModelConfig& config, const LayerTypes& types) {
  struct Part {
    LayerType type;
    const char* name;
    Json defaults;
  };
  const Part parts[] = {
      {LayerType::kFullAttention,
       "full_attention",
       {{"rope_type", "proportional"}, {"partial_rotary_factor", 0.25}, {"rope_theta", 1e6}}},
      {LayerType::kSlidingAttention,
       "sliding_attention",
       {{"rope_type", "default"}, {"rope_theta", 1e4}}}};
  const Json& object = reader.raw("rope_parameters");
  if (object.is_object()) {
    ConfigReader by_type(object, reader.where() + ": rope_parameters", reader.ignored());
    by_type.harmless({"full_attention", "sliding_attention"});
    by_type.finish();
  }
  for (const Part& part : parts) {
    std::optional<int64_t> head_dim;
    for (size_t i = 0; i < types.size(); ++i) {
      if (types[i] != part.type) continue;
      config.layers[i].rope = static_cast<int64_t>(config.ropes.size());
      const int64_t own = config.layers[i].attention.head_dim;
      if (head_dim.value_or(own) != own)
        reader.fail("layers of type \"" + std::string(part.name) +
                    "\" differ in head_dim (per_layer_config)");
      head_dim = own;
    }
    if (!head_dim) continue;
    config.ropes.push_back(read_rope_of_type(
        reader, config, part.name,
        {.parameters = part.defaults, .has_proportional = true, .head_dim = head_dim}));
  }
}

/// The last layers read the keys and values of the last layer of their type before them.
void read_kv_sharing(ConfigReader& reader, ModelConfig& config, const LayerTypes& types) {
  const int64_t shared = reader.integer("num_kv_shared_layers", 0);
  const bool wide = reader.boolean("use_double_wide_mlp", false);
  const auto count = static_cast<int64_t>(types.size());
  if (shared < 0 || shared > count)
    reader.fail("\"num_kv_shared_layers\" is " + std::to_string(shared) + ", there are " +
                std::to_string(count) + " layers");
  for (int64_t i = count - shared; i < count; ++i) {
    LayerConfig& layer = config.layers[i];
    if (wide) layer.mlp_factor = 2;
    for (int64_t earlier = 0; earlier < count - shared; ++earlier)
      if (types[earlier] == types[i]) layer.kv_layer = earlier;
    if (!layer.kv_layer)
      reader.fail("no layer has keys and values for layer " + std::to_string(i) +
                  " to read (num_kv_shared_layers)");
    const AttentionSizes &own = layer.attention, &lender = config.layers[*layer.kv_layer].attention;
    if (own.head_dim != lender.head_dim)
      reader.fail("layer " + std::to_string(i) + " reads the keys of layer " +
                  std::to_string(*layer.kv_layer) + ", which has another head_dim");
    layer.attention.num_key_value_heads = lender.num_key_value_heads;
  }
}

void read_gemma4_experts(ConfigReader& reader, ModelConfig& config) {
  const bool used = reader.boolean("enable_moe_block", false);
  const auto count = reader.optional_integer("num_experts", std::nullopt),
             of_token = reader.optional_integer("top_k_experts", std::nullopt),
             size = reader.optional_integer("moe_intermediate_size", std::nullopt);
  if (!used) return;
  if (!count || !of_token || !size)
    reader.fail(
        "\"enable_moe_block\" needs \"num_experts\", \"top_k_experts\" and "
        "\"moe_intermediate_size\"");
  config.experts = {.num_experts = *count,
                    .num_experts_per_tok = *of_token,
                    .intermediate_size = *size,
                    .norm_topk_prob = true,
                    .beside_mlp = true};
  for (LayerConfig& layer : config.layers) layer.experts = true;
}

void read_per_layer_input(ConfigReader& reader, ModelConfig& config) {
  config.per_layer_input.size = reader.integer("hidden_size_per_layer_input", 256);
  config.per_layer_input.vocab_size = reader.integer("vocab_size_per_layer_input", 262144);
  if (config.per_layer_input.size == 0) return;
  if (config.per_layer_input.size < 0)
    reader.fail("\"hidden_size_per_layer_input\" must be positive or 0");
  if (config.per_layer_input.vocab_size < config.vocab_size)
    reader.fail("\"vocab_size_per_layer_input\" is " +
                std::to_string(config.per_layer_input.vocab_size) + ", vocab_size is " +
                std::to_string(config.vocab_size));
}

/// What all of them have.
ModelConfig read_gemma4_parts(ConfigReader& reader, const SizeDefaults& sizes, int64_t window) {
  ModelConfig config = read_sizes(reader, sizes);
  config.norm = read_rms_norm(reader, 1e-6);
  config.norm.in_float32 = true;
  config.hidden_act = read_activation(reader, "hidden_activation", "gelu_pytorch_tanh");
  config.qkv_bias = config.o_bias = reader.boolean("attention_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  config.embedding_multiplier = std::sqrt(static_cast<double>(config.hidden_size));
  config.round_embedding_multiplier = true;
  config.attention_scale = 1.0;
  config.qk_norm = QkNorm::kHead;
  config.v_norm = true;
  config.layer_scalar = true;
  const auto cap = reader.optional_number("final_logit_softcapping", std::nullopt);
  if (cap && *cap <= 0) reader.fail("\"final_logit_softcapping\" must be positive or null");
  config.logit_softcap = cap.value_or(0.0);
  // "vision": of images alone.
  if (reader.raw("use_bidirectional_attention") != "vision")
    reader.expect("use_bidirectional_attention", nullptr);
  const LayerTypes types = read_gemma4_layer_types(reader, config.num_hidden_layers);
  set_windows(reader, config, types, reader.optional_integer("sliding_window", window));
  read_full_layers(reader, config, types);
  read_gemma4_ropes(reader, config, types);
  read_kv_sharing(reader, config, types);
  return config;
}

/// The text part of a folder that also sees and hears.
ModelConfig read_gemma4_wrapped(ConfigReader& reader, const char* text_type,
                                ModelConfig (*read_text)(ConfigReader& reader)) {
  ModelConfig config = read_text_config(reader, {{text_type, read_text}});
  // The key of the whole model decides, not the one of its part.
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", true);
  reader.harmless({"vision_config", "audio_config", "boi_token_id", "eoi_token_id",
                   "image_token_id", "video_token_id", "boa_token_id", "eoa_token_id",
                   "eoa_token_index", "audio_token_id", "vision_soft_tokens_per_image"});
  return config;
}

constexpr TensorNames kGemma4Names = {
    .prefixes = {"model.language_model.", "model.", "language_model.model.", "language_model.", ""},
    .other_parts = {"model.vision_tower.", "model.vision_embedder.", "model.embed_vision.",
                    "model.audio_tower.", "model.embed_audio."},
    .attention_post_norm = "post_attention_layernorm",
    .mlp_norm = "pre_feedforward_layernorm",
    .mlp_post_norm = "post_feedforward_layernorm",
    .router = "router.proj",
    .experts = "experts",
    .beside_mlp = {.mlp_out_norm = "post_feedforward_layernorm_1",
                   .expert_norm = "pre_feedforward_layernorm_2",
                   .expert_out_norm = "post_feedforward_layernorm_2",
                   .router_scale = "router.scale",
                   .expert_scale = "router.per_expert_scale"}};

}  // namespace

static ModelConfig read_gemma4_text(ConfigReader& reader) {
  ModelConfig config = read_gemma4_parts(
      reader, {262144, 2304, 9216, 30, 8, 4, 256, 131072, /*has_per_layer_config=*/true}, 512);
  read_per_layer_input(reader, config);
  read_gemma4_experts(reader, config);
  return config;
}

Family gemma4_text_family() { return {"gemma4_text", read_gemma4_text, kGemma4Names}; }

static ModelConfig read_gemma4(ConfigReader& reader) {
  return read_gemma4_wrapped(reader, "gemma4_text", read_gemma4_text);
}

Family gemma4_family() { return {"gemma4", read_gemma4, kGemma4Names}; }

static ModelConfig read_gemma4_unified_text(ConfigReader& reader) {
  ModelConfig config = read_gemma4_parts(
      reader, {262144, 2304, 9216, 30, 8, 4, 256, 262144, /*has_per_layer_config=*/true}, 1024);
  // Of the models that have them: a file without is what this type is.
  reader.expect("hidden_size_per_layer_input", 0);
  reader.harmless({"vocab_size_per_layer_input"});
  reader.expect("enable_moe_block", false);
  return config;
}

Family gemma4_unified_text_family() {
  return {"gemma4_unified_text", read_gemma4_unified_text, kGemma4Names};
}

static ModelConfig read_gemma4_unified(ConfigReader& reader) {
  return read_gemma4_wrapped(reader, "gemma4_unified_text", read_gemma4_unified_text);
}

Family gemma4_unified_family() { return {"gemma4_unified", read_gemma4_unified, kGemma4Names}; }

}  // namespace air
