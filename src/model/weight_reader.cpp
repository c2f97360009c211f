#include "model/weight_reader.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <spdlog/spdlog.h>

#include <array>

#include "base/error.h"
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
    // transformers saves olmo_hybrid's under the name that its other layers have for another norm.
    const char* post = names.attention_post_norm;
    if (post != nullptr && names.delta.mlp_norm != nullptr &&
        !checkpoint_.has(layer_ + post + ".weight"))
      post = names.delta.mlp_norm;
    layer.attention_post_norm = norm(post, {config_.hidden_size});
    read_attention(layer_config.attention, layer);
  } else if (layer_config.mixer == Mixer::kGatedDelta) {
    const char* own = names.delta.layer_norm;
    layer.attention_norm = norm(own != nullptr ? own : names.attention_norm, {config_.hidden_size});
    read_gated_delta(layer);
  } else if (layer_config.mixer == Mixer::kShortConv) {
    layer.attention_norm = norm(names.attention_norm, {config_.hidden_size});
    read_short_conv(layer);
  }
  if (layer_config.mixer == Mixer::kGatedDelta && names.delta.mlp_norm != nullptr) {
    layer.mlp_norm = norm(names.delta.mlp_norm, {config_.hidden_size});
  } else {
    if (!config_.parallel_blocks) layer.mlp_norm = norm(names.mlp_norm, {config_.hidden_size});
    layer.mlp_post_norm = norm(names.mlp_post_norm, {config_.hidden_size});
  }
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
    if (config_.attention_gate)
      read_gated_queries(sizes, layer);
    else
      layer.q_proj = linear(layer_ + names.q_proj, q, hidden, config_.qkv_bias);
    layer.k_proj = linear(layer_ + names.k_proj, k, hidden, config_.qkv_bias);
    layer.v_proj = linear(layer_ + names.v_proj, v, hidden, config_.qkv_bias);
  }
  if (!device_.is_cpu()) layer.qkv_proj = joined({&layer.q_proj, &layer.k_proj, &layer.v_proj});
  layer.o_proj = linear(layer_ + names.o_proj, hidden, sizes.out_size(), config_.o_bias);
  layer.q_norm = qk_norm(names.q_norm, sizes.num_heads, sizes.head_dim);
  layer.k_norm = qk_norm(names.k_norm, sizes.num_key_value_heads, sizes.head_dim);
  if (config_.attention_sinks) layer.sinks = tensor(layer_ + names.sinks, {sizes.num_heads});
}

// Qwen3.5: one matrix, of each head first its query and then its gate.
void WeightReader::read_gated_queries(const AttentionSizes& sizes, DecoderLayer& layer) {
  AIR_CHECK(sizes.head_dim == sizes.v_head_dim);
  const std::string name = layer_ + config_.names.q_proj;
  const int64_t rows = 2 * sizes.q_size();
  const auto half = [&](int64_t index, const std::string& tensor_name, const at::Tensor& both) {
    const at::Tensor part =
        both.unflatten(0, {sizes.num_heads, 2, sizes.head_dim}).select(1, index).flatten(0, 1);
    return materialize(part, tensor_name, dtype_);
  };
  const at::Tensor weight = checkpoint_.view(name + ".weight", {rows, config_.hidden_size});
  layer.q_proj.weight = half(0, name + ".weight", weight);
  layer.output_gate.weight = half(1, name + ".weight", weight);
  if (!config_.qkv_bias) return;
  const at::Tensor bias = checkpoint_.view(name + ".bias", {rows});
  layer.q_proj.bias = half(0, name + ".bias", bias);
  layer.output_gate.bias = half(1, name + ".bias", bias);
}

// What the recurrence is sensitive to stays in float32 whatever the model's dtype is.
at::Tensor WeightReader::float_tensor(const std::string& name, at::IntArrayRef shape) {
  return materialize(checkpoint_.view(name, shape), name, at::kFloat);
}

void WeightReader::read_delta_projections(DecoderLayer& layer) {
  const GatedDeltaConfig& sizes = config_.gated_delta;
  const GatedDeltaNames& names = config_.names.delta;
  const auto part = [&](const char* name, int64_t rows) {
    return linear(layer_ + name, rows, config_.hidden_size, false);
  };
  if (names.qkv_proj != nullptr)
    layer.delta.qkv_proj = part(names.qkv_proj, sizes.channels());
  else
    layer.delta.qkv_proj.weight = at::cat({part(names.q_proj, sizes.key_size()).weight,
                                           part(names.k_proj, sizes.key_size()).weight,
                                           part(names.v_proj, sizes.value_size()).weight});
  layer.output_gate = part(names.z_proj, sizes.value_size());
  layer.delta.rates_proj.weight = at::cat({part(names.b_proj, sizes.num_value_heads).weight,
                                           part(names.a_proj, sizes.num_value_heads).weight});
}

// qwen3_next: of each key head its query, its key, its values and their gates; of each key head the
// betas of its value heads, then their decays.
void WeightReader::read_interleaved_delta(DecoderLayer& layer) {
  const GatedDeltaConfig& sizes = config_.gated_delta;
  const int64_t heads = sizes.num_key_heads, hidden = config_.hidden_size, dk = sizes.key_head_dim,
                r = sizes.group_size(), values = r * sizes.value_head_dim;
  const std::string qkvz_name = layer_ + config_.names.delta.qkvz_proj + ".weight",
                    ba_name = layer_ + config_.names.delta.ba_proj + ".weight";
  const auto of_heads = [&](const at::Tensor& all, int64_t begin, int64_t rows) {
    return all.unflatten(0, {heads, -1}).narrow(1, begin, rows).flatten(0, 1);
  };
  const at::Tensor qkvz =
      checkpoint_.view(qkvz_name, {sizes.channels() + sizes.value_size(), hidden});
  layer.delta.qkv_proj.weight = materialize(
      at::cat({of_heads(qkvz, 0, dk), of_heads(qkvz, dk, dk), of_heads(qkvz, 2 * dk, values)}),
      qkvz_name, dtype_);
  layer.output_gate.weight =
      materialize(of_heads(qkvz, 2 * dk + values, values), qkvz_name, dtype_);
  const at::Tensor ba = checkpoint_.view(ba_name, {2 * sizes.num_value_heads, hidden});
  layer.delta.rates_proj.weight =
      materialize(at::cat({of_heads(ba, 0, r), of_heads(ba, r, r)}), ba_name, dtype_);
}

// transformers cuts the three convolutions of olmo_hybrid into thirds where it saves them: only
// their sum is what config.json says.
at::Tensor WeightReader::delta_conv() {
  const GatedDeltaConfig& sizes = config_.gated_delta;
  const GatedDeltaNames& names = config_.names.delta;
  if (names.conv != nullptr)
    return tensor(layer_ + names.conv + ".weight", {sizes.channels(), 1, sizes.conv_width});
  std::vector<at::Tensor> parts;
  int64_t channels = 0;
  for (const char* part : names.qkv_convs) {
    const std::string name = layer_ + part + ".weight";
    const std::vector<int64_t> shape = checkpoint_.shape_of(name);
    const int64_t rows = shape.empty() ? 0 : shape.front();
    parts.push_back(tensor(name, {rows, 1, sizes.conv_width}));
    channels += rows;
  }
  if (channels != sizes.channels())
    throw Error(ErrorKind::kModel, checkpoint_.folder().string(),
                "the convolutions of \"" + layer_ + "\" have " + std::to_string(channels) +
                    " channels, config.json asks for " + std::to_string(sizes.channels()));
  return at::cat(parts);
}

void WeightReader::read_gated_delta(DecoderLayer& layer) {
  const GatedDeltaConfig& sizes = config_.gated_delta;
  const GatedDeltaNames& names = config_.names.delta;
  const int64_t heads = sizes.num_key_heads;
  const int64_t keys = sizes.key_size(), values = sizes.value_size();
  GatedDelta& delta = layer.delta;
  if (names.qkvz_proj != nullptr)
    read_interleaved_delta(layer);
  else
    read_delta_projections(layer);
  const at::Tensor conv = delta_conv().squeeze(1).to(at::kFloat);
  const auto by_key_head = [&](int64_t begin, int64_t rows) {
    return conv.narrow(0, begin, rows).unflatten(0, {heads, rows / heads});
  };
  delta.conv =
      at::cat({by_key_head(0, keys), by_key_head(keys, keys), by_key_head(2 * keys, values)}, 1)
          .transpose(1, 2)
          .contiguous();
  delta.a_log = float_tensor(layer_ + names.a_log, {sizes.num_value_heads});
  delta.dt_bias = float_tensor(layer_ + names.dt_bias, {sizes.num_value_heads});
  delta.out_norm.weight = float_tensor(layer_ + names.out_norm + ".weight", {sizes.value_head_dim});
  layer.o_proj = linear(layer_ + names.out_proj, config_.hidden_size, values, false);
}

void WeightReader::read_short_conv(DecoderLayer& layer) {
  const ShortConvNames& names = config_.names.short_conv;
  const int64_t hidden = config_.hidden_size, width = config_.short_conv_width;
  const bool bias = config_.short_conv_bias;
  const auto third = [&](int64_t index) {
    return rows_of(layer_ + names.in_proj, {index * hidden, hidden, 3 * hidden}, hidden, bias);
  };
  layer.short_conv.b_proj = third(0);
  layer.output_gate = third(1);
  layer.short_conv.x_proj = third(2);
  const std::string name = layer_ + names.conv;
  layer.short_conv.conv =
      tensor(name + ".weight", {hidden, 1, width}).squeeze(1).t().to(at::kFloat).contiguous();
  if (bias) layer.short_conv.conv_bias = tensor(name + ".bias", {hidden}).to(at::kFloat);
  layer.o_proj = linear(layer_ + names.out_proj, hidden, hidden, bias);
}

void WeightReader::read_shared_expert(DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const int64_t hidden = config_.hidden_size, inner = config_.experts.shared_intermediate_size;
  const std::string name = layer_ + names.shared_expert + ".";
  layer.experts.shared = {linear(name + names.expert_gate_proj, inner, hidden, false),
                          linear(name + names.expert_up_proj, inner, hidden, false),
                          linear(name + names.expert_down_proj, hidden, inner, false)};
  layer.experts.shared_gate = linear(layer_ + names.shared_gate, 1, hidden, false);
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
  if (experts.selection_bias)
    layer.experts.selection_bias =
        float_tensor(layer_ + names.selection_bias, {experts.num_experts});
  if (experts.shared_intermediate_size > 0) read_shared_expert(layer);
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
  if (device_.is_cuda() && dtype_ == at::kBFloat16) stack_experts(layer.experts);
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
