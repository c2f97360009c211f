#include "model/families/config_parts.h"

#include <algorithm>
#include <cmath>

namespace air {

void pass_harmless_keys(ConfigReader& reader, bool has_per_layer_config) {
  // about the file, its tools and its tokenizer
  reader.harmless({"model_type",
                   "architectures",
                   "_name_or_path",
                   "_model_name_or_path",
                   "name_or_path",
                   "_commit_hash",
                   "transformers_version",
                   "torch_dtype",
                   "dtype",
                   "auto_map",
                   "tokenizer_class",
                   "transformers.js_config",
                   "unsloth_version",
                   "unsloth_fixed",
                   "model_name",
                   "base_model",
                   "license",
                   "language",
                   "model_max_length",
                   "max_seq_length",
                   "tokenizer_model_max_length",
                   "tokenizer_padding_side",
                   "padding_side",
                   "truncation_side",
                   "bos_token",
                   "eos_token",
                   "pad_token",
                   "unk_token",
                   "quantization_config",
                   "use_mrope",
                   "bos_token_id",
                   "eos_token_id",
                   "pad_token_id",
                   "unk_token_id",
                   "sep_token_id",
                   "decoder_start_token_id",
                   "vocab_padding"});
  // how transformers runs it
  reader.harmless({"use_cache",
                   "cache_implementation",
                   "attn_implementation",
                   "_attn_implementation",
                   "_attn_implementation_autoset",
                   "experts_implementation",
                   "_experts_implementation",
                   "return_dict",
                   "output_attentions",
                   "output_hidden_states",
                   "torchscript",
                   "use_bfloat16",
                   "chunk_size_feed_forward",
                   "tf_legacy_loss",
                   "use_flash_attention_2",
                   "gradient_checkpointing",
                   "_attn_implementation_internal",
                   "_flash_attn_2_enabled",
                   "use_flash_attn",
                   "use_flash_attention",
                   "flash_attention",
                   "attn_impl",
                   "use_sdpa",
                   "keys_to_ignore_at_inference",
                   "model_parallel",
                   "fp16",
                   "bf16"});
  // training
  reader.harmless({"initializer_range",
                   "attention_dropout",
                   "attn_pdrop",
                   "embd_pdrop",
                   "resid_pdrop",
                   "embedding_dropout",
                   "residual_dropout",
                   "hidden_dropout",
                   "output_router_logits",
                   "router_aux_loss_coef",
                   "router_jitter_noise",
                   "neftune_noise_alpha",
                   "label_smoothing",
                   "initializer_factor",
                   "init_std",
                   "dropout",
                   "attn_dropout",
                   "mlp_dropout",
                   "ffn_dropout",
                   "activation_dropout",
                   "classifier_dropout",
                   "layerdrop",
                   "gradient_checkpointing_kwargs",
                   "use_reentrant"});
  // other tasks and kinds of model
  reader.harmless({"id2label", "label2id", "num_labels", "problem_type", "task_specific_params",
                   "finetuning_task", "is_decoder", "tie_encoder_decoder", "prefix",
                   "cross_attention_hidden_size"});
  reader.expect("is_encoder_decoder", false);
  reader.expect("add_cross_attention", false);
  reader.expect("pruned_heads", Json::object());
  if (!has_per_layer_config) reader.expect("per_layer_config", nullptr);
  // text generation, which older versions wrote here
  reader.harmless({"max_length",
                   "min_length",
                   "do_sample",
                   "early_stopping",
                   "num_beams",
                   "num_beam_groups",
                   "diversity_penalty",
                   "temperature",
                   "top_k",
                   "top_p",
                   "typical_p",
                   "repetition_penalty",
                   "length_penalty",
                   "no_repeat_ngram_size",
                   "encoder_no_repeat_ngram_size",
                   "bad_words_ids",
                   "num_return_sequences",
                   "output_scores",
                   "return_dict_in_generate",
                   "forced_bos_token_id",
                   "forced_eos_token_id",
                   "remove_invalid_values",
                   "exponential_decay_length_penalty",
                   "suppress_tokens",
                   "max_new_tokens",
                   "min_new_tokens",
                   "max_time",
                   "min_p",
                   "penalty_alpha",
                   "epsilon_cutoff",
                   "eta_cutoff",
                   "renormalize_logits",
                   "guidance_scale",
                   "stop_strings",
                   "output_logits",
                   "num_assistant_tokens",
                   "assistant_confidence_threshold",
                   "prompt_lookup_num_tokens",
                   "begin_suppress_tokens"});
}

ModelConfig read_sizes(ConfigReader& reader, const SizeDefaults& defaults) {
  pass_harmless_keys(reader, defaults.has_per_layer_config);
  ModelConfig config;
  config.vocab_size = reader.integer("vocab_size", defaults.vocab_size);
  config.hidden_size = reader.integer("hidden_size", defaults.hidden_size);
  config.intermediate_size = reader.integer("intermediate_size", defaults.intermediate_size);
  config.num_hidden_layers = reader.integer("num_hidden_layers", defaults.num_hidden_layers);
  config.num_attention_heads = reader.integer("num_attention_heads", defaults.num_attention_heads);
  config.num_key_value_heads =
      reader.optional_integer("num_key_value_heads", defaults.num_key_value_heads)
          .value_or(config.num_attention_heads);
  const int64_t heads = std::max<int64_t>(config.num_attention_heads, 1);
  config.head_dim =
      reader.integer("head_dim", defaults.head_dim.value_or(config.hidden_size / heads));
  config.max_position_embeddings =
      reader.integer("max_position_embeddings", defaults.max_position_embeddings);
  config.attention_scale =
      1.0 / std::sqrt(static_cast<double>(std::max<int64_t>(config.head_dim, 1)));
  const LayerConfig layer{.attention = {.num_heads = config.num_attention_heads,
                                        .num_key_value_heads = config.num_key_value_heads,
                                        .head_dim = config.head_dim,
                                        .v_head_dim = config.head_dim},
                          .rope = 0};
  // A negative count is an error later on; here it only must not be one of the list.
  config.layers.assign(std::clamp<int64_t>(config.num_hidden_layers, 0, 100'000), layer);
  return config;
}

NormConfig read_rms_norm(ConfigReader& reader, double default_eps) {
  return {.kind = NormKind::kRms, .eps = reader.number("rms_norm_eps", default_eps)};
}

NormConfig read_layer_norm(ConfigReader& reader, const std::string& key, double default_eps,
                           bool bias) {
  return {.kind = NormKind::kLayer, .eps = reader.number(key, default_eps), .bias = bias};
}

Activation read_activation(ConfigReader& reader, const std::string& key,
                           const std::string& fallback) {
  const std::string name = reader.string(key, fallback);
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "relu2") return Activation::kRelu2;
  for (const char* tanh : {"gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_python_tanh"})
    if (name == tanh) return Activation::kGeluTanh;
  reader.fail("unknown " + key + " \"" + name + "\"",
              "known: silu, gelu, gelu_pytorch_tanh, gelu_new, gelu_fast, relu2");
}

LayerType sliding_if(bool sliding) {
  return sliding ? LayerType::kSlidingAttention : LayerType::kFullAttention;
}

std::vector<LayerType> read_layer_types(ConfigReader& reader, int64_t num_hidden_layers,
                                        const std::function<LayerType(int64_t)>& fallback) {
  std::vector<LayerType> types;
  if (!reader.has("layer_types")) {
    for (int64_t i = 0; i < num_hidden_layers; ++i) types.push_back(fallback(i));
    return types;
  }
  for (const std::string& type : reader.strings("layer_types")) {
    if (type == "full_attention" || type == "attention")
      types.push_back(LayerType::kFullAttention);
    else if (type == "sliding_attention")
      types.push_back(LayerType::kSlidingAttention);
    else
      reader.fail("unknown layer type \"" + type + "\"",
                  "known: full_attention, sliding_attention");
  }
  if (static_cast<int64_t>(types.size()) != num_hidden_layers)
    reader.fail("layer_types has " + std::to_string(types.size()) +
                " entries, num_hidden_layers is " + std::to_string(num_hidden_layers));
  return types;
}

void set_windows(const ConfigReader& reader, ModelConfig& config,
                 const std::vector<LayerType>& types, std::optional<int64_t> window) {
  for (size_t i = 0; i < config.layers.size(); ++i) {
    if (types[i] != LayerType::kSlidingAttention) continue;
    if (!window)
      reader.fail("layer " + std::to_string(i) +
                  " has sliding attention, and there is no \"sliding_window\"");
    if (*window <= 0)
      reader.fail("\"sliding_window\" must be positive, not " + std::to_string(*window));
    config.layers[i].window = *window;
  }
}

void set_window(const ConfigReader& reader, ModelConfig& config, std::optional<int64_t> window) {
  if (window)
    set_windows(reader, config,
                std::vector<LayerType>(config.layers.size(), LayerType::kSlidingAttention), window);
}

ModelConfig read_text_config(
    ConfigReader& reader,
    const std::vector<std::pair<const char*, ModelConfig (*)(ConfigReader&)>>& types) {
  const Json& text = reader.raw("text_config");
  if (text.is_null()) reader.fail("no key \"text_config\"");
  ConfigReader nested(text, reader.where() + ": text_config", reader.ignored());
  if (nested.has("quantization_config"))
    nested.fail("quantised weights (quantization_config) are not supported");
  const std::string type = nested.string("model_type", types.front().first);
  for (const auto& [name, read] : types) {
    if (type != name) continue;
    ModelConfig config = read(nested);
    nested.finish();
    pass_harmless_keys(reader);
    return config;
  }
  nested.fail("unknown model_type \"" + type + "\" of the text part");
}

ModelConfig read_llama_like(ConfigReader& reader, const SizeDefaults& sizes,
                            const LlamaDefaults& defaults) {
  ModelConfig config = read_sizes(reader, sizes);
  config.norm = read_rms_norm(reader, defaults.rms_norm_eps);
  config.hidden_act = read_activation(reader, "hidden_act", defaults.hidden_act);
  if (defaults.attention_bias)
    config.qkv_bias = config.o_bias = reader.boolean("attention_bias", *defaults.attention_bias);
  config.tie_word_embeddings = reader.boolean("tie_word_embeddings", defaults.tie_word_embeddings);
  if (defaults.rope) config.ropes = {read_rope(reader, config, *defaults.rope)};
  return config;
}

}  // namespace air
