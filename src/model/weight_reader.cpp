#include "model/weight_reader.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>

#include <spdlog/spdlog.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "model/kernels/weight_panels.h"
#include "model/mxfp4.h"
#include "model/weight_upload.h"

namespace air {

namespace {

/// One linear map of several; they become its rows.
Linear joined(const std::vector<Linear*>& parts) {
  Linear all;
  for (at::Tensor Linear::*tensor : {&Linear::weight, &Linear::bias}) {
    std::vector<at::Tensor> each;
    for (const Linear* part : parts) each.push_back(part->*tensor);
    if (!each.front().defined()) continue;
    all.*tensor = at::cat(each);
    int64_t begin = 0;
    for (Linear* part : parts) {
      const int64_t rows = (part->*tensor).size(0);
      part->*tensor = (all.*tensor).narrow(0, begin, rows);
      begin += rows;
    }
  }
  return all;
}

}  // namespace

std::string decoder_prefix(const Checkpoint& checkpoint, const TensorNames& names) {
  std::string tried;
  for (const char* prefix : names.prefixes) {
    if (prefix == nullptr) break;
    const std::string name = std::string(prefix) + names.embed_tokens + ".weight";
    if (checkpoint.has(name)) return prefix;
    tried += (tried.empty() ? "\"" : ", \"") + name + "\"";
  }
  throw Error(ErrorKind::kModel, checkpoint.folder().string(),
              "no embedding: none of the tensors " + tried + " is here");
}

std::string lm_head_name(const Checkpoint& checkpoint, const TensorNames& names) {
  std::string name = names.lm_head[0];
  for (const char* candidate : names.lm_head)
    if (candidate != nullptr && checkpoint.has(std::string(candidate) + ".weight"))
      name = candidate;
  return name;
}

WeightReader::WeightReader(Checkpoint& checkpoint, const ModelConfig& config, at::ScalarType dtype,
                           at::Device device)
    : checkpoint_(checkpoint),
      config_(config),
      dtype_(dtype),
      device_(device),
      prefix_(decoder_prefix(checkpoint, config.names)) {
  // Old checkpoints carry the RoPE frequencies as buffers.
  checkpoint_.ignore_suffix(".rotary_emb.inv_freq");
  // What FP8 activations would be scaled by: air computes with activations of the model's dtype.
  if (config.fp8)
    for (const char* suffix : {".activation_scale", ".input_scale"})
      checkpoint_.ignore_suffix(suffix);
  for (int64_t i = 0; i < config.num_mtp_layers; ++i)
    checkpoint_.ignore_prefix(prefix_ + "layers." + std::to_string(config.num_hidden_layers + i) +
                              ".");
  for (const char* part : config.names.other_parts)
    if (part != nullptr) checkpoint_.ignore_prefix(part);
}

at::Tensor WeightReader::materialize(const at::Tensor& view, const std::string& name,
                                     at::ScalarType dtype) {
  num_parameters_ += view.numel();
  num_bytes_ += view.numel() * c10::elementSize(dtype);
  const auto options = at::TensorOptions().dtype(dtype).device(device_);
  if (device_.is_meta()) return at::empty(view.sizes(), options);
  if (device_.is_cpu() && view.scalar_type() == dtype && view.is_contiguous()) return view;
  at::Tensor owned = device_.is_cuda()
                         ? upload_weight(view, device_, dtype)
                         : view.to(options, /*non_blocking=*/false, /*copy=*/true).contiguous();
  // The file's pages would count as memory until the kernel wants them back.
  checkpoint_.release_pages(name);
  return owned;
}

at::Tensor WeightReader::materialize_weight(const at::Tensor& view, const std::string& name) {
  if (!device_.is_cpu() || !suits_panels(view, dtype_)) return materialize(view, name, dtype_);
  num_parameters_ += view.numel();
  num_bytes_ += view.numel() * c10::elementSize(dtype_);
  const at::Tensor panels = weight_in_panels(view, dtype_);
  checkpoint_.release_pages(name);
  return panels;
}

at::Tensor WeightReader::tensor(const std::string& name, at::IntArrayRef shape) {
  return materialize(checkpoint_.view(name, shape), name, dtype_);
}

Linear WeightReader::linear(const std::string& name, int64_t out, int64_t in, bool bias) {
  return rows_of(name, {0, out, out}, in, bias);
}

Linear WeightReader::rows_of(const std::string& name, RowRange rows, int64_t in, bool bias) {
  const auto part = [&](const std::string& tensor_name, at::IntArrayRef shape) {
    return checkpoint_.view(tensor_name, shape).narrow(0, rows.begin, rows.count);
  };
  const std::string weight = name + ".weight", bias_name = name + ".bias";
  Linear linear{materialize_weight(part(weight, {rows.of_all, in}), weight), {}};
  if (bias) linear.bias = materialize(part(bias_name, {rows.of_all}), bias_name, dtype_);
  return linear;
}

Norm WeightReader::norm(const char* part, at::IntArrayRef shape) {
  if (part == nullptr) return {};
  const std::string name = layer_ + part;
  const at::ScalarType dtype = config_.norm.in_float32 ? at::kFloat : dtype_;
  Norm norm{materialize(checkpoint_.view(name + ".weight", shape), name + ".weight", dtype), {}};
  if (config_.norm.weight_offset != 0 && !device_.is_meta())
    norm.weight = norm.weight + config_.norm.weight_offset;
  if (config_.norm.bias)
    norm.bias = materialize(checkpoint_.view(name + ".bias", shape), name + ".bias", dtype);
  return norm;
}

// Of a norm without a weight.
at::Tensor WeightReader::norm_of_ones(int64_t size) const {
  const at::ScalarType dtype = config_.norm.in_float32 ? at::kFloat : dtype_;
  return at::ones({size}, at::TensorOptions().dtype(dtype).device(device_));
}

Norm WeightReader::each_head_norm(const char* part, int64_t heads, int64_t head_dim) {
  std::vector<at::Tensor> weights;
  for (int64_t head = 0; head < heads; ++head)
    weights.push_back(
        tensor(layer_ + part + ".norms." + std::to_string(head) + ".weight", {head_dim}));
  return {at::stack(weights), {}};
}

Norm WeightReader::qk_norm(const char* part, int64_t heads, int64_t head_dim) {
  switch (config_.qk_norm) {
    case QkNorm::kNone:
      return {};
    case QkNorm::kHead:
      return norm(part, {head_dim});
    case QkNorm::kEachHead:
      return each_head_norm(part, heads, head_dim);
    case QkNorm::kProjection:
      return norm(part, {heads * head_dim});
  }
  return {};
}

at::Tensor WeightReader::embed_tokens() {
  return tensor(prefix_ + config_.names.embed_tokens + ".weight",
                {config_.vocab_size, config_.hidden_size});
}

Linear WeightReader::lm_head() {
  const std::string name = lm_head_name(checkpoint_, config_.names);
  if (config_.tie_word_embeddings) return tied_lm_head(name);
  Linear head{tensor(name + ".weight", {config_.vocab_size, config_.hidden_size}), {}};
  if (config_.lm_head_bias) head.bias = tensor(name + ".bias", {config_.vocab_size});
  return head;
}

Linear WeightReader::tied_lm_head(const std::string& name) {
  const std::string weight = name + ".weight",
                    embedding = prefix_ + config_.names.embed_tokens + ".weight";
  const std::array<int64_t, 2> shape = {config_.vocab_size, config_.hidden_size};
  Linear head;
  if (config_.lm_head_bias) head.bias = tensor(name + ".bias", {config_.vocab_size});
  // An adapter that trained one of the two has untied them.
  const bool adapted = checkpoint_.is_changed(embedding) || checkpoint_.is_changed(weight);
  if (!checkpoint_.has(weight)) {
    if (adapted)
      head.weight = materialize(checkpoint_.stored_view(embedding, shape), embedding, dtype_);
  } else if (checkpoint_.are_equal(embedding, weight, shape)) {
    checkpoint_.ignore(weight);  // some writers store the tied matrix twice
  } else {
    if (!adapted)
      spdlog::warn(
          "{}: config.json ties lm_head to the embedding, but \"{}\" holds another "
          "matrix: it is used, as transformers does",
          checkpoint_.folder().string(), weight);
    head.weight = tensor(weight, shape);
  }
  return head;
}

Norm WeightReader::final_norm() {
  layer_ = prefix_;
  return norm(config_.names.final_norm, {config_.hidden_size});
}

void WeightReader::read_mixer(const LayerConfig& config, DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const char* before = names.attention_norm;
  if (config.mixer == Mixer::kGatedDelta && names.delta.layer_norm != nullptr)
    before = names.delta.layer_norm;
  if (config.mixer != Mixer::kNone) layer.attention_norm = norm(before, {config_.hidden_size});
  if (config.has_heads()) {
    // transformers saves olmo_hybrid's under the name that its other layers have for another norm.
    const char* post = names.attention_post_norm;
    if (post != nullptr && names.delta.mlp_norm != nullptr &&
        !checkpoint_.has(layer_ + post + ".weight"))
      post = names.delta.mlp_norm;
    layer.attention_post_norm = norm(post, {config_.hidden_size});
    read_attention(config, layer);
  }
  if (config.mixer == Mixer::kGatedDelta) read_gated_delta(layer);
  if (config.mixer == Mixer::kShortConv) read_short_conv(layer);
  if (config.has_mamba2()) read_mamba2(layer);
}

void WeightReader::read_feed_forward(const LayerConfig& config, DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  if (config.mixer == Mixer::kGatedDelta && names.delta.mlp_norm != nullptr) {
    layer.mlp_norm = norm(names.delta.mlp_norm, {config_.hidden_size});
  } else {
    if (!config_.parallel_blocks) layer.mlp_norm = norm(names.mlp_norm, {config_.hidden_size});
    layer.mlp_post_norm = norm(names.mlp_post_norm, {config_.hidden_size});
  }
  if (config.experts) read_experts(layer);
  if (config.experts && config_.experts.beside_mlp) read_beside_mlp(layer);
  if (!config.experts || config_.experts.beside_mlp)
    read_mlp(config.mlp_factor * config_.intermediate_size, layer);
}

DecoderLayer WeightReader::layer(int64_t index) {
  layer_ = prefix_ + "layers." + std::to_string(index) + ".";
  const LayerConfig& config = config_.layers[index];
  DecoderLayer layer;
  read_mixer(config, layer);
  if (config.mlp) read_feed_forward(config, layer);
  if (config_.per_layer_input.size > 0) read_per_layer_input(index, layer);
  if (config_.layer_scalar) layer.scalar = tensor(layer_ + config_.names.layer_scalar, {1});
  return layer;
}

void WeightReader::read_projections(const LayerConfig& config, DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const AttentionSizes& sizes = config.attention;
  const int64_t hidden = config_.hidden_size;
  const int64_t q = sizes.q_size(), k = sizes.k_size(), v = sizes.v_size();
  if (names.qkv_proj != nullptr) {
    const auto part = [&](int64_t begin, int64_t rows) {
      return rows_of(layer_ + names.qkv_proj, {begin, rows, q + k + v}, hidden, config_.qkv_bias);
    };
    layer.q_proj = part(0, q);
    layer.k_proj = part(q, k);
    layer.v_proj = part(q + k, v);
  } else {
    if (config_.attention_gate)
      read_gated_queries(sizes, layer);
    else
      layer.q_proj = linear(layer_ + names.q_proj, q, hidden, config_.qkv_bias);
    if (!config.kv_layer) {
      layer.k_proj = linear(layer_ + names.k_proj, k, hidden, config_.qkv_bias);
      if (!config.keys_as_values)
        layer.v_proj = linear(layer_ + names.v_proj, v, hidden, config_.qkv_bias);
    }
  }
  std::vector<Linear*> parts;
  for (Linear* part : {&layer.q_proj, &layer.k_proj, &layer.v_proj})
    if (part->weight.defined()) parts.push_back(part);
  if (!device_.is_cpu()) layer.qkv_proj = joined(parts);
}

void WeightReader::read_attention(const LayerConfig& config, DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const AttentionSizes& sizes = config.attention;
  if (config_.latent.kv_rank > 0)
    read_latent_attention(sizes, layer);
  else
    read_projections(config, layer);
  layer.o_proj =
      linear(layer_ + names.o_proj, config_.hidden_size, sizes.out_size(), config_.o_bias);
  layer.q_norm = qk_norm(names.q_norm, sizes.num_heads, sizes.head_dim);
  if (config.kv_layer) {
    // Some checkpoints hold what a layer would need that had its own.
    for (const char* part : {names.k_proj, names.v_proj, names.k_norm})
      checkpoint_.ignore_prefix(layer_ + part + ".");
  } else {
    layer.k_norm = qk_norm(names.k_norm, sizes.num_key_value_heads, sizes.head_dim);
    if (config_.v_norm) layer.v_norm.weight = norm_of_ones(sizes.v_head_dim);
  }
  if (config_.attention_sinks) layer.sinks = tensor(layer_ + names.sinks, {sizes.num_heads});
}

// Qwen3.5: one matrix, of each head first its query and then its gate.
void WeightReader::read_gated_queries(const AttentionSizes& sizes, DecoderLayer& layer) {
  AIR_CHECK(sizes.head_dim == sizes.v_head_dim);
  const std::string name = layer_ + config_.names.q_proj;
  const int64_t rows = 2 * sizes.q_size();
  const auto half = [&](int64_t index, const at::Tensor& both) {
    return both.unflatten(0, {sizes.num_heads, 2, sizes.head_dim}).select(1, index).flatten(0, 1);
  };
  const at::Tensor weight = checkpoint_.view(name + ".weight", {rows, config_.hidden_size});
  layer.q_proj.weight = materialize_weight(half(0, weight), name + ".weight");
  layer.output_gate.weight = materialize_weight(half(1, weight), name + ".weight");
  if (!config_.qkv_bias) return;
  const at::Tensor bias = checkpoint_.view(name + ".bias", {rows});
  layer.q_proj.bias = materialize(half(0, bias), name + ".bias", dtype_);
  layer.output_gate.bias = materialize(half(1, bias), name + ".bias", dtype_);
}

// What the recurrence is sensitive to stays in float32 whatever the model's dtype is.
at::Tensor WeightReader::float_tensor(const std::string& name, at::IntArrayRef shape) {
  return materialize(checkpoint_.view(name, shape), name, at::kFloat);
}

void WeightReader::read_mlp(int64_t inner, DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const int64_t hidden = config_.hidden_size;
  if (names.gate_up_proj != nullptr) {
    layer.mlp.gate_proj =
        rows_of(layer_ + names.gate_up_proj, {0, inner, 2 * inner}, hidden, config_.mlp_bias);
    layer.mlp.up_proj =
        rows_of(layer_ + names.gate_up_proj, {inner, inner, 2 * inner}, hidden, config_.mlp_bias);
  } else {
    if (config_.mlp_gate)
      layer.mlp.gate_proj = linear(layer_ + names.gate_proj, inner, hidden, config_.mlp_bias);
    layer.mlp.up_proj = linear(layer_ + names.up_proj, inner, hidden, config_.mlp_bias);
  }
  layer.mlp.down_proj = linear(layer_ + names.down_proj, hidden, inner, config_.mlp_bias);
}

void WeightReader::read_per_layer_input(int64_t index, DecoderLayer& layer) {
  const PerLayerInputNames& names = config_.names.per_layer_input;
  const int64_t hidden = config_.hidden_size, size = config_.per_layer_input.size,
                of_all = config_.num_hidden_layers * size;
  if (!per_layer_input_.defined()) {
    per_layer_input_.embed_tokens = tensor(prefix_ + names.embed_tokens + ".weight",
                                           {config_.per_layer_input.vocab_size, of_all});
    const std::string of_layer = std::exchange(layer_, prefix_);
    per_layer_input_.norm = norm(names.norm, {size});
    layer_ = of_layer;
  }
  PerLayerInput& input = layer.per_layer_input;
  input.embed_tokens = per_layer_input_.embed_tokens.narrow(1, index * size, size);
  input.norm = per_layer_input_.norm;
  input.model_proj =
      rows_of(prefix_ + names.model_proj, {index * size, size, of_all}, hidden, false);
  input.gate = linear(layer_ + names.gate, size, hidden, false);
  input.out_proj = linear(layer_ + names.out_proj, hidden, size, false);
  input.out_norm = norm(names.out_norm, {hidden});
}

void WeightReader::finish() { checkpoint_.finish(); }

}  // namespace air
