// What a model is: the fields of a Hugging Face config.json that change the maths.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "heads/head_grid.h"
#include "model/activation.h"
#include "model/model_source.h"
#include "model/tensor_names.h"

namespace air {

/// How a rotary embedding is stretched to longer contexts.
enum class RopeType { kDefault, kLinear, kDynamic, kLlama3, kYarn, kLongrope, kProportional };

/// "default", …: as config.json spells it.
const char* name_of(RopeType type);

/// Rotary position embedding of a group of layers. Only the fields of its type are used.
struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000.0;
  int64_t rotary_dim = 0;    ///< leading dimensions of a head that are rotated
  bool interleaved = false;  ///< pairs (0, 1), (2, 3), … instead of (0, d/2), (1, d/2 + 1), …
  double factor = 1.0;       ///< linear, dynamic, llama3, yarn, proportional
  double attention_factor = 1.0;        ///< yarn, longrope: cosines and sines are multiplied by it
  int64_t max_position_embeddings = 0;  ///< dynamic: longer sequences change the frequencies
  int64_t original_max_position_embeddings = 0;  ///< llama3, yarn, longrope
  double low_freq_factor = 1.0;                  ///< llama3
  double high_freq_factor = 1.0;                 ///< llama3
  double beta_fast = 32.0;                       ///< yarn
  double beta_slow = 1.0;                        ///< yarn
  bool truncate = true;                          ///< yarn
  std::vector<double> short_factor;              ///< longrope, [rotary_dim / 2]
  std::vector<double> long_factor;               ///< longrope, [rotary_dim / 2]
  int64_t turning_pairs = 0;                     ///< proportional: the first; others stand still
  /// Queries are multiplied by 1 + beta · ln(1 + ⌊position / original_max_position_embeddings⌋)
  /// after they were rotated; 0: not.
  double query_scale_beta = 0.0;

  friend bool operator==(const RopeConfig&, const RopeConfig&) = default;
};

enum class NormKind { kRms, kLayer };

/// What all norms of a model have in common.
struct NormConfig {
  NormKind kind = NormKind::kRms;
  double eps = 0;
  bool bias = false;           ///< LayerNorm only
  bool in_float32 = false;     ///< half precision: rounded after the weight was applied, not before
  double weight_offset = 0.0;  ///< Gemma stores weight − 1
};

/// Norm of queries and keys before RoPE.
enum class QkNorm {
  kNone,
  kHead,        ///< over each head, one weight [D] for all heads
  kEachHead,    ///< over each head, weights [H, D] and [K, D]
  kProjection,  ///< over all heads together, weights [H · D] and [K · D]
};

/// The mixture of experts of a layer.
struct ExpertConfig {
  int64_t num_experts = 0;  ///< 0: the family has none
  int64_t num_experts_per_tok = 0;
  int64_t intermediate_size = 0;
  /// false: softmax over all experts, then the best k; true: the best k, then softmax over them.
  bool softmax_after_top_k = false;
  bool norm_topk_prob = false;  ///< weights of the best k sum to 1
  bool router_bias = false;
  bool float_router = false;  ///< its product is taken in float32
  bool bias = false;
  /// sigmoid of each expert's score in place of a softmax, with the best k of score + bias.
  bool sigmoid_scores = false;
  bool selection_bias = false;
  double norm_eps = 0;             ///< added to the sum that the weights are divided by
  double routed_multiplier = 1.0;  ///< of the chosen experts' weights
  /// Of an MLP that every token passes, times sigmoid(its gate · x) where it has a gate; 0: there
  /// is none.
  int64_t shared_intermediate_size = 0;
  bool shared_bias = false;
  /// Experts read and write vectors of this size, which projections of all of them together make of
  /// a layer's and back; 0: they are as wide as the layer.
  int64_t latent_size = 0;
  /// Experts lie in so many groups; only those of the best groups can be chosen. A group is as good
  /// as its two best experts together, or as its best one.
  int64_t num_groups = 1;
  int64_t groups_per_tok = 1;
  bool best_expert_ranks_group = false;
  /// A layer with experts has its MLP too, and norms for what each of the two reads and adds; the
  /// router has a norm of its own, each expert a factor.
  bool beside_mlp = false;
};

/// What lets the tokens of a layer see each other.
enum class Mixer {
  kAttention,           ///< softmax attention: heads are its alone
  kGatedDelta,          ///< a linear recurrence (gated_delta.h)
  kShortConv,           ///< a gated convolution over a few tokens
  kMamba2,              ///< another linear recurrence (mamba2.h)
  kAttentionAndMamba2,  ///< both, side by side: what they put out is added
  kNone,                ///< nothing: the layer is its MLP alone
};

/// The heads of a layer with softmax attention.
struct AttentionSizes {
  int64_t num_heads = 0;            ///< query heads, H
  int64_t num_key_value_heads = 0;  ///< K; H is a multiple
  int64_t head_dim = 0;             ///< D, of queries and keys
  int64_t v_head_dim = 0;           ///< E, of values and of what a head puts out

  int64_t q_size() const { return num_heads * head_dim; }
  int64_t k_size() const { return num_key_value_heads * head_dim; }
  int64_t v_size() const { return num_key_value_heads * v_head_dim; }
  int64_t out_size() const { return num_heads * v_head_dim; }
};

/// Keys and values of all heads as projections of a short vector (multi-head latent attention).
struct LatentConfig {
  int64_t kv_rank = 0;   ///< of that vector; 0: keys and values are projected as usual
  int64_t q_rank = 0;    ///< the same of queries; 0: they are projected as usual
  int64_t rope_dim = 0;  ///< of a head's key: the rotated part, which all heads share
  double norm_eps = 0;   ///< of the norms of both vectors
};

/// An embedding of each layer's own, which the layer adds to its output (Gemma 4 E2B, E4B).
struct PerLayerInputConfig {
  int64_t size = 0;  ///< of a token in a layer; 0: there is none
  int64_t vocab_size = 0;
};

/// The Gated DeltaNet of the layers that have one.
struct GatedDeltaConfig {
  int64_t num_key_heads = 0;    ///< Hk, of queries and keys
  int64_t num_value_heads = 0;  ///< Hv; a multiple
  int64_t key_head_dim = 0;     ///< Dk
  int64_t value_head_dim = 0;   ///< Dv
  int64_t conv_width = 0;       ///< tokens that the convolution before it sees
  double norm_eps = 0;          ///< of the norm after it
  double beta_multiplier = 1.0;

  int64_t key_size() const { return num_key_heads * key_head_dim; }
  int64_t value_size() const { return num_value_heads * value_head_dim; }
  /// Value heads that a key head serves, r.
  int64_t group_size() const { return num_value_heads / num_key_heads; }
  /// Of a key head: its query, its key, its values.
  int64_t head_channels() const { return 2 * key_head_dim + group_size() * value_head_dim; }
  int64_t channels() const { return num_key_heads * head_channels(); }
};

/// What parts of a Mamba-2 are multiplied by (Falcon-H1).
struct Mamba2Multipliers {
  double input = 1.0, output = 1.0;  ///< what goes into the mixer, and what it puts out
  double gate = 1.0, x = 1.0, b = 1.0, c = 1.0, step = 1.0;  ///< what its projections put out
};

/// The Mamba-2 of the layers that have one.
struct Mamba2Config {
  int64_t num_heads = 0;   ///< H; 0: no layer has one
  int64_t head_dim = 0;    ///< P
  int64_t num_groups = 0;  ///< G, of heads that share B and C; H is a multiple
  int64_t state_size = 0;  ///< S, of B and C
  int64_t conv_width = 0;  ///< tokens that the convolution before it sees
  bool conv_bias = false;
  bool in_bias = false;
  bool out_bias = false;
  Activation activation = Activation::kSilu;  ///< after the convolution
  double min_step = 0.0, max_step = 0.0;      ///< steps are clamped to these
  bool norm = true;                           ///< of each group's channels, after the recurrence
  bool norm_before_gate = false;
  double norm_eps = 0;
  Mamba2Multipliers multipliers;

  int64_t channels() const { return num_heads * head_dim; }
  int64_t conv_channels() const { return channels() + 2 * num_groups * state_size; }
  /// Heads of a group that are worked on together, u.
  int64_t unit_heads() const;
  int64_t num_units() const { return num_heads / unit_heads(); }
  int64_t unit_channels() const { return unit_heads() * head_dim; }
};

/// What differs from layer to layer.
struct LayerConfig {
  Mixer mixer = Mixer::kAttention;
  AttentionSizes attention;  ///< kAttention
  std::optional<int64_t>
      window;                   ///< a key at distance < window is visible; none: every earlier one
  std::optional<int64_t> rope;  ///< index into ModelConfig::ropes; none: no positions (NoPE)
  bool experts = false;         ///< a mixture instead of one MLP, or beside it
  bool mlp = true;              ///< false: neither; the layer is its mixer alone
  /// The earlier layer whose keys and values it reads; none: it has its own.
  std::optional<int64_t> kv_layer;
  bool keys_as_values = false;  ///< values are what the keys' projection puts out
  int64_t mlp_factor = 1;       ///< the MLP is so many times intermediate_size wide

  bool has_heads() const {
    return mixer == Mixer::kAttention || mixer == Mixer::kAttentionAndMamba2;
  }
  bool has_mamba2() const { return mixer == Mixer::kMamba2 || mixer == Mixer::kAttentionAndMamba2; }
};

/// Weights in FP8 (E4M3) with a factor for each block of a matrix; 0 × 0: one for all of it.
struct Fp8Blocks {
  int64_t rows = 0, columns = 0;
};

/// The decoder, whatever its family. Set by one function a family from config.json; nothing here
/// has a silent default.
struct ModelConfig {
  std::string model_type;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  /// Of config.json, for all layers alike; what a layer has, LayerConfig says.
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  bool tie_word_embeddings = false;

  NormConfig norm;
  bool parallel_blocks = false;  ///< x + attention(norm(x)) + mlp(norm(x)), one norm for both
  double residual_multiplier = 1.0;

  bool qkv_bias = false;
  bool o_bias = false;
  double attention_in_multiplier = 1.0;   ///< of what q, k and v are projected from
  double attention_out_multiplier = 1.0;  ///< of what attention adds
  double attention_scale = 0;             ///< scores = q·k × this
  double attention_softcap = 0.0;         ///< scores become cap · tanh(score / cap); 0: not
  bool attention_sinks = false;           ///< a logit per head that takes its share of every row
  double clip_qkv = 0.0;                  ///< q, k, v clamped to ± this; 0: not
  bool attention_gate = false;  ///< a head's output × sigmoid(gate · x), a gate per dimension
  QkNorm qk_norm = QkNorm::kNone;
  bool qk_norm_after_rope = false;
  bool v_norm = false;  ///< values are normalised too, each head, without a weight
  LatentConfig latent;

  GatedDeltaConfig gated_delta;
  int64_t short_conv_width = 0;  ///< kShortConv
  bool short_conv_bias = false;  ///< of its projections and its convolution
  Mamba2Config mamba2;

  Activation hidden_act = Activation::kSilu;
  double swiglu_alpha = 0.0;  ///< kClampedSwiglu
  double swiglu_limit = 0.0;  ///< kClampedSwiglu
  bool mlp_gate = true;       ///< down(act(gate(x)) · up(x)); false: down(act(up(x)))
  bool mlp_bias = false;
  double mlp_gate_multiplier = 1.0;  ///< of the gate before its activation
  double mlp_out_multiplier = 1.0;
  ExpertConfig experts;
  PerLayerInputConfig per_layer_input;
  bool layer_scalar = false;  ///< a layer's output is multiplied by a number of its own

  double embedding_multiplier = 1.0;
  bool round_embedding_multiplier = false;  ///< Gemma rounds it to the model's dtype first
  bool lm_head_bias = false;
  double logit_multiplier = 1.0;
  double logit_softcap = 0.0;  ///< 0: none

  int64_t num_mtp_layers = 0;  ///< after the last: they predict more tokens, and are passed over

  std::vector<RopeConfig> ropes;    ///< the different ones
  std::vector<LayerConfig> layers;  ///< [num_hidden_layers]
  TensorNames names;
  std::optional<Fp8Blocks> fp8;  ///< how matrices that lie in FP8 are scaled

  /// The layers with softmax attention, by index: the only ones with heads.
  std::vector<int64_t> attention_layers() const;
  bool has_mixer(Mixer mixer) const;
  bool has_mamba2() const;
  /// Tokens that a layer's convolution sees, at most; 0: no layer has one.
  int64_t conv_width() const;
  /// Whether a later layer reads this one's keys and values.
  bool lends_keys(int64_t layer) const;
  /// The query heads of all layers.
  HeadGrid head_grid() const;
};

/// Reads config.json of the source's folder. @throws Error(kModel) for a missing file or key, an
/// unknown model_type, rope type or activation, a key that changes the maths and is not supported,
/// a quantised model: each named; also for a key to ignore that is not there or that air knows.
ModelConfig load_model_config(const ModelSource& source);

/// The same from parsed JSON; `where` names the file in messages.
ModelConfig model_config_from_json(const Json& config, const std::string& where,
                                   const std::vector<std::string>& ignored_keys = {});

/// Every field as JSON, for messages and tests.
Json to_json(const ModelConfig& config);
Json to_json(const LayerConfig& layer);

}  // namespace air
