#include "model/families.h"

#include <cmath>

namespace air {

namespace {

Activation read_activation(ConfigReader& reader, const std::string& key, const std::string& fallback) {
  const std::string name = reader.text(key, fallback);
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_pytorch_tanh" || name == "gelu_new") return Activation::kGeluTanh;
  reader.fail("unknown " + key + " \"" + name + "\"", "known: silu, gelu, gelu_pytorch_tanh");
}

/// Keys that every config.json may carry and that do not change the losses.
void read_common_harmless(ConfigReader& reader) {
  reader.harmless({"architectures", "_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache",
                   "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "initializer_range",
                   "attention_dropout", "auto_map", "id2label", "label2id", "problem_type", "return_dict",
                   "output_attentions", "output_hidden_states", "chunk_size_feed_forward", "is_encoder_decoder",
                   "_attn_implementation_autoset", "attn_implementation", "task_specific_params", "tokenizer_class",
                   "transformers.js_config", "quantization_config", "model_type"});
}

/// The rotary embedding, as transformers 4 (rope_theta, rope_scaling) and 5 (rope_parameters) write it.
RopeConfig read_rope(ConfigReader& reader, int64_t rotary_dim, double default_theta) {
  RopeConfig rope;
  rope.rotary_dim = rotary_dim;
  rope.theta = reader.number("rope_theta", default_theta);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json& json = reader.raw(key);
    if (json.is_null()) continue;
    ConfigReader nested(json, reader.where() + ": " + key);
    rope.theta = nested.number("rope_theta", rope.theta);
    // Older checkpoints say "type".
    rope.rope_type = nested.text("rope_type", nested.text("type", "default"));
    if (rope.rope_type != "default") nested.fail("unknown rope_type \"" + rope.rope_type + "\"", "known: default");
    nested.finish();
  }
  return rope;
}

ModelConfig read_llama(ConfigReader& reader) {
  read_common_harmless(reader);
  ModelConfig config;
  config.vocab_size = reader.integer("vocab_size");
  config.hidden_size = reader.integer("hidden_size");
  config.intermediate_size = reader.integer("intermediate_size");
  config.num_hidden_layers = reader.integer("num_hidden_layers");
  config.num_attention_heads = reader.integer("num_attention_heads");
  config.num_key_value_heads = reader.integer("num_key_value_heads", config.num_attention_heads);
  const int64_t heads = std::max<int64_t>(config.num_attention_heads, 1);
  config.head_dim = reader.integer("head_dim", config.hidden_size / heads);
  config.max_position_embeddings = reader.integer("max_position_embeddings", 2048);
  config.rms_norm_eps = reader.number("rms_norm_eps", 1e-6);
  config.hidden_act = read_activation(reader, "hidden_act", "silu");
  config.attention_bias = reader.boolean("attention_bias", false);
  config.mlp_bias = reader.boolean("mlp_bias", false);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", false);
  config.attention_scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
  config.rope = read_rope(reader, config.head_dim, 10000.0);
  // Tensor-parallel slices of pretraining_tp > 1 change only the rounding; transformers no longer reads it.
  reader.harmless({"pretraining_tp"});
  reader.expect("rope_interleaved", false);
  return config;
}

constexpr Family kFamilies[] = {
    {"llama", read_llama},
};

}  // namespace

const Family* find_family(const std::string& model_type) {
  for (const Family& family : kFamilies)
    if (model_type == family.model_type) return &family;
  return nullptr;
}

std::string known_model_types() {
  std::string names;
  for (const Family& family : kFamilies) names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return names;
}

}  // namespace air
