#include "model/weight_reader.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <spdlog/spdlog.h>

#include <array>

#include "base/error.h"
#include "model/mxfp4.h"

namespace air {

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
  at::Tensor owned = view.to(options, /*non_blocking=*/false, /*copy=*/true).contiguous();
  // The file's pages would count as memory until the kernel wants them back.
  checkpoint_.release_pages(name);
  return owned;
}

at::Tensor WeightReader::tensor(const std::string& name, at::IntArrayRef shape) {
  return materialize(checkpoint_.view(name, shape), name, dtype_);
}

Linear WeightReader::linear(const std::string& name, int64_t out, int64_t in, bool bias) {
  return rows_of(name, {0, out, out}, in, bias);
}

Linear WeightReader::rows_of(const std::string& name, RowRange rows, int64_t in, bool bias) {
  const auto part = [&](const std::string& tensor_name, at::IntArrayRef shape) {
    return materialize(checkpoint_.view(tensor_name, shape).narrow(0, rows.begin, rows.count),
                       tensor_name, dtype_);
  };
  Linear linear{part(name + ".weight", {rows.of_all, in}), {}};
  if (bias) linear.bias = part(name + ".bias", {rows.of_all});
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
  return linear(name, config_.vocab_size, config_.hidden_size, config_.lm_head_bias);
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

DecoderLayer WeightReader::layer(int64_t index) {
  layer_ = prefix_ + "layers." + std::to_string(index) + ".";
  const TensorNames& names = config_.names;
  DecoderLayer layer;
  const LayerConfig& layer_config = config_.layers[index];
  if (layer_config.has_heads()) {
    layer.attention_norm = norm(names.attention_norm, {config_.hidden_size});
    layer.attention_post_norm = norm(names.attention_post_norm, {config_.hidden_size});
    read_attention(layer_config.attention, layer);
  }
  if (!config_.parallel_blocks) layer.mlp_norm = norm(names.mlp_norm, {config_.hidden_size});
  layer.mlp_post_norm = norm(names.mlp_post_norm, {config_.hidden_size});
  if (layer_config.experts)
    read_experts(layer);
  else
    read_mlp(layer);
  return layer;
}

void WeightReader::read_attention(const AttentionSizes& sizes, DecoderLayer& layer) {
  const TensorNames& names = config_.names;
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
    layer.q_proj = linear(layer_ + names.q_proj, q, hidden, config_.qkv_bias);
    layer.k_proj = linear(layer_ + names.k_proj, k, hidden, config_.qkv_bias);
    layer.v_proj = linear(layer_ + names.v_proj, v, hidden, config_.qkv_bias);
  }
  layer.o_proj = linear(layer_ + names.o_proj, hidden, sizes.out_size(), config_.o_bias);
  layer.q_norm = qk_norm(names.q_norm, sizes.num_heads, sizes.head_dim);
  layer.k_norm = qk_norm(names.k_norm, sizes.num_key_value_heads, sizes.head_dim);
  if (config_.attention_sinks) layer.sinks = tensor(layer_ + names.sinks, {sizes.num_heads});
}

void WeightReader::read_mlp(DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const int64_t hidden = config_.hidden_size, inner = config_.intermediate_size;
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

void WeightReader::read_experts(DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const ExpertConfig& experts = config_.experts;
  layer.experts.router =
      linear(layer_ + names.router, experts.num_experts, config_.hidden_size, experts.router_bias);
  layer.experts.experts.reserve(experts.num_experts);
  const std::string name = layer_ + names.experts;
  if (checkpoint_.has(name + ".gate_up_proj_blocks"))
    read_mxfp4_experts(name, layer);
  else if (names.interleaved_experts)
    read_interleaved_experts(name, layer);
  else if (checkpoint_.has(name + ".gate_up_proj"))
    read_stacked_experts(name, layer);
  else
    for (int64_t i = 0; i < experts.num_experts; ++i)
      layer.experts.experts.push_back(expert(name, i));
}

Mlp WeightReader::expert(const std::string& name, int64_t index) {
  const TensorNames& names = config_.names;
  const int64_t hidden = config_.hidden_size, inner = config_.experts.intermediate_size;
  const std::string own_name = name + "." + std::to_string(index) + ".";
  return {linear(own_name + names.expert_gate_proj, inner, hidden, config_.experts.bias),
          linear(own_name + names.expert_up_proj, inner, hidden, config_.experts.bias),
          linear(own_name + names.expert_down_proj, hidden, inner, config_.experts.bias)};
}

// transformers 5 can save all experts of a layer in one tensor: [E, 2 · inner, hidden], gates
// before ups.
void WeightReader::read_stacked_experts(const std::string& name, DecoderLayer& layer) {
  const int64_t hidden = config_.hidden_size, inner = config_.experts.intermediate_size,
                count = config_.experts.num_experts;
  const std::string gate_up_name = name + ".gate_up_proj", down_name = name + ".down_proj";
  const at::Tensor gate_up = checkpoint_.view(gate_up_name, {count, 2 * inner, hidden});
  const at::Tensor down = checkpoint_.view(down_name, {count, hidden, inner});
  for (int64_t i = 0; i < count; ++i)
    layer.experts.experts.push_back(
        {{materialize(gate_up[i].narrow(0, 0, inner), gate_up_name, dtype_), {}},
         {materialize(gate_up[i].narrow(0, inner, inner), gate_up_name, dtype_), {}},
         {materialize(down[i], down_name, dtype_), {}}});
}

// gpt_oss: input before output, [E, hidden, 2 · inner], gate and up taking turns.
void WeightReader::read_interleaved_experts(const std::string& name, DecoderLayer& layer) {
  const int64_t hidden = config_.hidden_size, inner = config_.experts.intermediate_size,
                count = config_.experts.num_experts;
  const std::string gate_up_name = name + ".gate_up_proj", down_name = name + ".down_proj";
  const at::Tensor gate_up = checkpoint_.view(gate_up_name, {count, hidden, 2 * inner});
  const at::Tensor down = checkpoint_.view(down_name, {count, inner, hidden});
  const at::Tensor gate_up_bias = checkpoint_.view(gate_up_name + "_bias", {count, 2 * inner});
  const at::Tensor down_bias = checkpoint_.view(down_name + "_bias", {count, hidden});
  for (int64_t i = 0; i < count; ++i) {
    const at::Tensor both = gate_up[i].t();  // [2 · inner, hidden]
    layer.experts.experts.push_back(
        {{materialize(both.slice(0, 0, 2 * inner, 2), gate_up_name, dtype_),
          materialize(gate_up_bias[i].slice(0, 0, 2 * inner, 2), gate_up_name + "_bias", dtype_)},
         {materialize(both.slice(0, 1, 2 * inner, 2), gate_up_name, dtype_),
          materialize(gate_up_bias[i].slice(0, 1, 2 * inner, 2), gate_up_name + "_bias", dtype_)},
         {materialize(down[i].t(), down_name, dtype_),
          materialize(down_bias[i], down_name + "_bias", dtype_)}});
  }
}

// gpt_oss as published: [E, out, in / 32] blocks of 32 four-bit numbers with a scale each, output
// before input.
void WeightReader::read_mxfp4_experts(const std::string& name, DecoderLayer& layer) {
  const int64_t hidden = config_.hidden_size, inner = config_.experts.intermediate_size,
                count = config_.experts.num_experts;
  const Mxfp4Matrix gate_up =
      mxfp4_matrix(checkpoint_, name + ".gate_up_proj", count, 2 * inner, hidden);
  const Mxfp4Matrix down = mxfp4_matrix(checkpoint_, name + ".down_proj", count, hidden, inner);
  const std::string gate_up_bias_name = name + ".gate_up_proj_bias",
                    down_bias_name = name + ".down_proj_bias";
  const at::Tensor gate_up_bias = checkpoint_.view(gate_up_bias_name, {count, 2 * inner});
  const at::Tensor down_bias = checkpoint_.view(down_bias_name, {count, hidden});
  const auto unpacked = [&](const Mxfp4Matrix& matrix, int64_t expert, int64_t first,
                            int64_t step) {
    const at::Tensor wide = unpack_mxfp4(matrix, expert, first, step, device_);
    return materialize(wide, matrix.name + "_blocks", dtype_);
  };
  for (int64_t i = 0; i < count; ++i)
    layer.experts.experts.push_back(
        {{unpacked(gate_up, i, 0, 2),
          materialize(gate_up_bias[i].slice(0, 0, 2 * inner, 2), gate_up_bias_name, dtype_)},
         {unpacked(gate_up, i, 1, 2),
          materialize(gate_up_bias[i].slice(0, 1, 2 * inner, 2), gate_up_bias_name, dtype_)},
         {unpacked(down, i, 0, 1), materialize(down_bias[i], down_bias_name, dtype_)}});
}

void WeightReader::finish() { checkpoint_.finish(); }

}  // namespace air
