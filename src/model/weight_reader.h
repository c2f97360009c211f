// Takes the weights of a model out of its checkpoint, as the family's table of names says.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "model/checkpoint.h"
#include "model/decoder_layer.h"
#include "model/model_config.h"

namespace air {

/// What the names of the decoder's tensors begin with in this checkpoint.
/// @throws Error(kModel) when no prefix of the family leads to an embedding.
std::string decoder_prefix(const Checkpoint& checkpoint, const TensorNames& names);

/// The name of lm_head in this checkpoint, without ".weight"; the family's first where it has none.
std::string lm_head_name(const Checkpoint& checkpoint, const TensorNames& names);

/// Every tensor is copied once, out of the mapped file into its final dtype and layout; one that
/// needs no change stays where it lies.
class WeightReader {
 public:
  /// @param device at::kMeta: names, shapes and dtypes are checked, nothing is read.
  /// @throws Error(kModel) when no prefix of the family leads to an embedding.
  WeightReader(Checkpoint& checkpoint, const ModelConfig& config, at::ScalarType dtype,
               at::Device device);

  at::Tensor embed_tokens();
  /// Without weight where it is tied to the embedding. A checkpoint that holds another one all the
  /// same keeps it, as transformers does, with a warning.
  Linear lm_head();
  Norm final_norm();
  DecoderLayer layer(int64_t index);
  /// @throws Error(kModel) naming the tensors that are left.
  void finish();

  /// Numbers, and bytes they take, of all that was read.
  int64_t num_parameters() const { return num_parameters_; }
  int64_t num_bytes() const { return num_bytes_; }

 private:
  at::Tensor materialize(const at::Tensor& view, const std::string& name, at::ScalarType dtype);
  /// Of a linear map, as its products read it.
  at::Tensor materialize_weight(const at::Tensor& view, const std::string& name);
  at::Tensor tensor(const std::string& name, at::IntArrayRef shape);
  Linear linear(const std::string& name, int64_t out, int64_t in, bool bias);
  /// Rows of a matrix that holds several.
  struct RowRange {
    int64_t begin, count, of_all;
  };
  Linear rows_of(const std::string& name, RowRange rows, int64_t in, bool bias);
  Norm norm(const char* part, at::IntArrayRef shape);
  at::Tensor norm_of_ones(int64_t size) const;
  Norm each_head_norm(const char* part, int64_t heads, int64_t head_dim);
  Norm qk_norm(const char* part, int64_t heads, int64_t head_dim);
  Linear tied_lm_head(const std::string& name);
  void read_attention(const LayerConfig& config, DecoderLayer& layer);
  void read_projections(const LayerConfig& config, DecoderLayer& layer);
  void read_latent_attention(const AttentionSizes& sizes, DecoderLayer& layer);
  void read_gated_queries(const AttentionSizes& sizes, DecoderLayer& layer);
  void read_gated_delta(DecoderLayer& layer);
  void read_delta_projections(DecoderLayer& layer);
  void read_interleaved_delta(DecoderLayer& layer);
  at::Tensor delta_conv();
  void read_short_conv(DecoderLayer& layer);
  void read_mamba2(DecoderLayer& layer);
  void read_mixer(const LayerConfig& config, DecoderLayer& layer);
  void read_feed_forward(const LayerConfig& config, DecoderLayer& layer);
  void read_shared_expert(DecoderLayer& layer);
  at::Tensor float_tensor(const std::string& name, at::IntArrayRef shape);
  void read_mlp(int64_t inner, DecoderLayer& layer);
  void read_beside_mlp(DecoderLayer& layer);
  void read_per_layer_input(int64_t index, DecoderLayer& layer);
  void read_experts(DecoderLayer& layer);
  Mlp expert(const std::string& name, int64_t index);
  void read_stacked_experts(const std::string& name, DecoderLayer& layer);
  void read_interleaved_experts(const std::string& name, DecoderLayer& layer);
  void read_mxfp4_experts(const std::string& name, DecoderLayer& layer);

  Checkpoint& checkpoint_;
  const ModelConfig& config_;
  at::ScalarType dtype_;
  at::Device device_;
  std::string prefix_;             // of the decoder
  std::string layer_;              // prefix of the layer that is being read
  PerLayerInput per_layer_input_;  // what all layers share: the whole table, and a norm
  int64_t num_parameters_ = 0;
  int64_t num_bytes_ = 0;
};

}  // namespace air
