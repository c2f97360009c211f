// What the config.json files of the families have in common, each part under the keys that it has
// in most of them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/config_reader.h"
#include "model/model_config.h"

namespace air {

/// Defaults of the sizes in transformers' config class of a family.
struct SizeDefaults {
  int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads;
  std::optional<int64_t> num_key_value_heads;  ///< none: as many as query heads
  std::optional<int64_t> head_dim;             ///< none: hidden_size / num_attention_heads
  int64_t max_position_embeddings;
  /// The family reads `per_layer_config` itself.
  bool has_per_layer_config = false;
};

/// A key that two versions of transformers spell in two ways.
int64_t read_num_experts(ConfigReader& reader, const std::string& key, const std::string& other,
                         int64_t fallback);

/// Experts beside a shared one: a family's defaults.
struct SharedExpertDefaults {
  int64_t num_experts, num_experts_per_tok;
  int64_t intermediate_size, shared_intermediate_size;
  bool norm_topk_prob;
};
ExpertConfig read_shared_experts(ConfigReader& reader, const SharedExpertDefaults& defaults);

/// `mlp_only_layers` have one MLP, and so have those that `decoder_sparse_step` leaves out; the
/// others get experts.
void read_sparse_layers(ConfigReader& reader, ModelConfig& config);

/// Keys that every config.json may carry and that do not change the losses.
void pass_harmless_keys(ConfigReader& reader, bool has_per_layer_config = false);

/// Reads the sizes and what is harmless in every family, and sets what most families have: all
/// layers alike, no biases, an attention scale of 1/√D.
ModelConfig read_sizes(ConfigReader& reader, const SizeDefaults& defaults);

/// RMSNorm with `rms_norm_eps`.
NormConfig read_rms_norm(ConfigReader& reader, double default_eps);
/// LayerNorm with its eps under `key`.
NormConfig read_layer_norm(ConfigReader& reader, const std::string& key, double default_eps,
                           bool bias);

/// @throws Error(kModel) naming an activation that is not known.
Activation read_activation(ConfigReader& reader, const std::string& key,
                           const std::string& fallback);

/// What a layer sees, as `layer_types` says it.
enum class LayerType { kFullAttention, kSlidingAttention };

/// kSlidingAttention when `sliding` is true.
LayerType sliding_if(bool sliding);

/// `layer_types`, or `fallback(i)` for each layer when the key is missing.
/// @throws Error(kModel) for a type that is not known, or another number of layers.
std::vector<LayerType> read_layer_types(ConfigReader& reader, int64_t num_hidden_layers,
                                        const std::function<LayerType(int64_t)>& fallback);

/// Gives the sliding layers the window `window`. @throws Error(kModel) when there is none.
void set_windows(const ConfigReader& reader, ModelConfig& config,
                 const std::vector<LayerType>& types, std::optional<int64_t> window);
/// The same window, if any, in every layer.
void set_window(const ConfigReader& reader, ModelConfig& config, std::optional<int64_t> window);

/// What a family's rotary embedding is when config.json is silent.
struct RopeDefaults {
  double theta = 10000.0;
  /// Of a family that rotates part of each head (`partial_rotary_factor`); none: a family that
  /// rotates all of it.
  std::optional<double> partial_rotary_factor = std::nullopt;
  bool interleaved = false;
  /// Of a family whose config class has the key, so that it always overrides the one among the RoPE
  /// parameters.
  std::optional<int64_t> original_max_position_embeddings = std::nullopt;
  /// Parameters when there is neither rope_scaling nor rope_parameters.
  Json parameters = nullptr;
  /// Older names of longrope, and of the plain embedding.
  std::vector<std::string> longrope_aliases = {}, default_aliases = {};
  /// Keys among the parameters that change nothing in a text.
  std::vector<const char*> harmless_keys = {};
  /// Queries are scaled by position: `llama_4_scaling_beta`.
  bool scales_queries = false;
  /// `dynamic` with an `alpha` is a larger base for all lengths.
  bool has_alpha = false;
  /// `proportional` is one of the types.
  bool has_proportional = false;
  /// Of the layers that it is for, where they differ in it.
  std::optional<int64_t> head_dim = std::nullopt;
};

/// One rotary embedding for all layers: `rope_theta` and `rope_scaling` (transformers 4) or
/// `rope_parameters` (5).
/// @param config sizes must be read.
RopeConfig read_rope(ConfigReader& reader, const ModelConfig& config, const RopeDefaults& defaults);

/// Two of them, [full attention, sliding attention]: `rope_scaling` is for the full layers only; in
/// transformers 5 an object for each layer type.
std::vector<RopeConfig> read_ropes_by_layer_type(ConfigReader& reader, const ModelConfig& config,
                                                 double full_theta, double sliding_theta);

/// The embedding of one layer type: its object in `rope_parameters`; where there is no
/// rope_parameters at all, the default parameters.
/// @throws Error(kModel) when rope_parameters has no such object.
RopeConfig read_rope_of_type(ConfigReader& reader, const ModelConfig& config,
                             const std::string& type, const RopeDefaults& defaults);

/// Each layer takes the rotary embedding of its type. @param ropes [full, sliding]
void set_ropes(ModelConfig& config, std::vector<RopeConfig> ropes);

/// What a family that is Llama with small changes does when config.json is silent.
struct LlamaDefaults {
  double rms_norm_eps = 1e-6;
  /// `attention_bias`, for q, k, v and o; none: the family has no such key.
  std::optional<bool> attention_bias = false;
  bool tie_word_embeddings = false;
  const char* hidden_act = "silu";
  /// None: the family reads its rotary embeddings itself.
  std::optional<RopeDefaults> rope = RopeDefaults{};
};

/// The text part of a multimodal config.json: `text_config`, of one of these model types.
/// @param types each with what reads it; the first is that of a part that names none
ModelConfig read_text_config(
    ConfigReader& reader,
    const std::vector<std::pair<const char*, ModelConfig (*)(ConfigReader&)>>& types);

/// Pre-norm blocks with RMSNorm, a gated MLP (`hidden_act`), one rotary embedding.
ModelConfig read_llama_like(ConfigReader& reader, const SizeDefaults& sizes,
                            const LlamaDefaults& defaults = {});

}  // namespace air
