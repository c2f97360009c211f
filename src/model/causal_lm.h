// A causal language model: packed token ids in, hidden states, token losses and attention rows out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/batch.h"
#include "model/decoder_layer.h"
#include "model/head_mask.h"
#include "model/model_config.h"
#include "model/token_nll.h"

namespace air {

/// Rows of one sequence of a batch.
struct SequenceRows {
  int64_t sequence = 0;
  /// Positions, counted from the start of its prefix; none of them lies in the prefix.
  std::vector<int64_t> rows;
};

/// Tokens [begin, end) of a text, each given all before it. begin is at least 1.
struct TextSpan {
  std::span<const int32_t> ids;
  int64_t begin, end;
};

/// What a forward pass is asked for beside the hidden states.
struct ForwardOptions {
  /// Variants of the model, M of them; null: the base model alone.
  const HeadMask* mask = nullptr;
  /// Rows of the batch whose hidden states are returned, [R]; empty: all.
  std::vector<int64_t> output_rows;
  /// Rows whose attention probabilities are shown to `observer`.
  std::vector<SequenceRows> attention_rows;
  /// Called for each layer with attention and each of attention_rows, with probabilities [H, A, T]
  /// of the base model (variant 0), float32; A rows, T tokens of the sequence and its
  /// prefix.
  std::function<void(int64_t layer, int64_t sequence, const at::Tensor& rows)> observer;
};

/// A loaded model. Weights never change; forward passes of several threads may run at once.
class CausalLM {
 public:
  /// Loads a Hugging Face folder, and the adapter on it. @throws Error(kModel), Error(kResource)
  /// when the weights don't fit the memory.
  /// @param device at::kMeta: every tensor's name, shape and dtype is checked and none is read;
  ///   such a model only describes.
  static CausalLM load(const ModelSource& source, at::Device device, at::ScalarType dtype);
  /// The same with a config that the caller read.
  static CausalLM load(const ModelSource& source, ModelConfig config, at::Device device,
                       at::ScalarType dtype);

  const ModelConfig& config() const { return config_; }
  const std::string& fingerprint() const { return fingerprint_; }
  /// What a heads file says of this model.
  HeadModel head_model() const { return {config_.model_type, config_.head_grid(), fingerprint_}; }
  int64_t num_parameters() const { return num_parameters_; }
  /// Of all weights in the loaded dtype.
  int64_t num_bytes() const { return num_bytes_; }
  at::Device device() const { return embed_tokens_.device(); }
  at::ScalarType dtype() const { return embed_tokens_.scalar_type(); }

  /// Tokens from which a common prefix pays for the copies that attention to it makes.
  static constexpr int64_t kLeastShared = 16;
  /// Whether sequences of a batch may continue a common prefix (PackedSequences) and get the same
  /// result.
  bool can_share_prefixes() const;

  /// Hidden states after the last norm, [M, R, hidden_size].
  at::Tensor hidden_states(const Batch& batch, const ForwardOptions& options) const;

  /// Losses of the tokens of each span in every variant, [spans][M], in one pass. What all texts
  /// begin with before their spans is computed once.
  /// @param options `sequence` is the index of a span, rows are those of its tokens' predictions or
  ///   later; what `output_rows` says is ignored
  std::vector<std::vector<TokenNll>> span_nll(std::span<const TextSpan> spans,
                                              ForwardOptions options = {}) const;

  /// Losses of the tokens that the rows predict.
  /// @param hidden [R, hidden_size]   @param targets [R] int64
  TokenNll token_nll(const at::Tensor& hidden, const at::Tensor& targets) const;

  /// All logits [R, vocab_size], float32: for tests and tiny models only.
  at::Tensor logits(const at::Tensor& hidden) const;

 private:
  void read_weights(const ModelSource& source, at::Device device, at::ScalarType dtype);
  LogitOptions logit_options() const { return {lm_head_.bias, config_.logit_softcap}; }

  ModelConfig config_;
  std::string fingerprint_;
  int64_t num_parameters_ = 0;
  int64_t num_bytes_ = 0;
  at::Tensor embed_tokens_;  // [V, hidden_size]
  Linear lm_head_;           // [V, hidden_size]; the embedding's tensor when tied
  Norm norm_;                // [hidden_size]
  std::vector<DecoderLayer> layers_;
};

}  // namespace air
