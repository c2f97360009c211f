// The weights of mixtures of experts, in the layouts that checkpoints have.
#include <ATen/TensorOperators.h>

#include <cmath>

#include "model/mxfp4.h"
#include "model/weight_reader.h"

namespace air {

void WeightReader::read_shared_expert(DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const int64_t hidden = config_.hidden_size, inner = config_.experts.shared_intermediate_size;
  const bool bias = config_.experts.shared_bias;
  const std::string name = layer_ + names.shared_expert + ".";
  const char* down =
      names.shared_down_proj != nullptr ? names.shared_down_proj : names.expert_down_proj;
  Mlp& shared = layer.experts.shared;
  if (names.shared_gate_up_proj != nullptr) {
    const std::string both = name + names.shared_gate_up_proj;
    shared.gate_proj = rows_of(both, {0, inner, 2 * inner}, hidden, bias);
    shared.up_proj = rows_of(both, {inner, inner, 2 * inner}, hidden, bias);
  } else {
    if (config_.mlp_gate)
      shared.gate_proj = linear(name + names.expert_gate_proj, inner, hidden, bias);
    shared.up_proj = linear(name + names.expert_up_proj, inner, hidden, bias);
  }
  shared.down_proj = linear(name + down, hidden, inner, bias);
  if (names.shared_gate != nullptr)
    layer.experts.shared_gate = linear(layer_ + names.shared_gate, 1, hidden, false);
}

void WeightReader::read_beside_mlp(DecoderLayer& layer) {
  const BesideMlpNames& names = config_.names.beside_mlp;
  const int64_t hidden = config_.hidden_size;
  layer.mlp_out_norm = norm(names.mlp_out_norm, {hidden});
  layer.expert_norm = norm(names.expert_norm, {hidden});
  layer.expert_out_norm = norm(names.expert_out_norm, {hidden});
  // The router's norm has no weight; what it puts out is then scaled twice.
  const at::Tensor scale = float_tensor(layer_ + names.router_scale, {hidden});
  layer.router_norm.weight =
      device_.is_meta() ? scale : scale / std::sqrt(static_cast<double>(hidden));
  layer.experts.expert_scale =
      float_tensor(layer_ + names.expert_scale, {config_.experts.num_experts});
}

void WeightReader::read_experts(DecoderLayer& layer) {
  const TensorNames& names = config_.names;
  const ExpertConfig& experts = config_.experts;
  if (experts.float_router)
    layer.experts.router.weight =
        float_tensor(layer_ + names.router + ".weight", {experts.num_experts, config_.hidden_size});
  else
    layer.experts.router = linear(layer_ + names.router, experts.num_experts, config_.hidden_size,
                                  experts.router_bias);
  if (experts.selection_bias)
    layer.experts.selection_bias =
        float_tensor(layer_ + names.selection_bias, {experts.num_experts});
  if (experts.shared_intermediate_size > 0) read_shared_expert(layer);
  if (experts.latent_size > 0) {
    const int64_t hidden = config_.hidden_size, latent = experts.latent_size;
    layer.experts.latent_in = linear(layer_ + names.latent_in, latent, hidden, experts.shared_bias);
    layer.experts.latent_out =
        linear(layer_ + names.latent_out, hidden, latent, experts.shared_bias);
  }
  layer.experts.experts.reserve(experts.num_experts);
  const std::string name = layer_ + names.experts;
  if (checkpoint_.has(name + ".gate_up_proj_blocks"))
    read_mxfp4_experts(name, layer);
  else if (names.interleaved_experts)
    read_interleaved_experts(name, layer);
  else if (checkpoint_.has(name + "." + names.stacked_gate_up))
    read_stacked_experts(name, layer);
  else
    for (int64_t i = 0; i < experts.num_experts; ++i)
      layer.experts.experts.push_back(expert(name, i));
  if (!device_.is_cpu() && dtype_ == at::kBFloat16) stack_experts(layer.experts);
}

Mlp WeightReader::expert(const std::string& name, int64_t index) {
  const TensorNames& names = config_.names;
  const ExpertConfig& experts = config_.experts;
  const int64_t inner = experts.intermediate_size,
                outer = experts.latent_size > 0 ? experts.latent_size : config_.hidden_size;
  const std::string own_name = name + "." + std::to_string(index) + ".";
  Mlp mlp;
  if (config_.mlp_gate)
    mlp.gate_proj = linear(own_name + names.expert_gate_proj, inner, outer, experts.bias);
  mlp.up_proj = linear(own_name + names.expert_up_proj, inner, outer, experts.bias);
  mlp.down_proj = linear(own_name + names.expert_down_proj, outer, inner, experts.bias);
  return mlp;
}

// transformers 5 can save all experts of a layer in one tensor; Granite 4 always does.
void WeightReader::read_stacked_experts(const std::string& name, DecoderLayer& layer) {
  const ExpertConfig& experts = config_.experts;
  const int64_t inner = experts.intermediate_size, count = experts.num_experts,
                outer = experts.latent_size > 0 ? experts.latent_size : config_.hidden_size,
                gate = config_.mlp_gate ? inner : 0;  // rows of it, before the ups
  const std::string gate_up_name = name + "." + config_.names.stacked_gate_up,
                    down_name = name + "." + config_.names.stacked_down;
  const at::Tensor gate_up = checkpoint_.view(gate_up_name, {count, gate + inner, outer});
  const at::Tensor down = checkpoint_.view(down_name, {count, outer, inner});
  for (int64_t i = 0; i < count; ++i) {
    Mlp& mlp = layer.experts.experts.emplace_back();
    if (config_.mlp_gate)
      mlp.gate_proj.weight = materialize_weight(gate_up[i].narrow(0, 0, gate), gate_up_name);
    mlp.up_proj.weight = materialize_weight(gate_up[i].narrow(0, gate, inner), gate_up_name);
    mlp.down_proj.weight = materialize_weight(down[i], down_name);
  }
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
        {{materialize_weight(both.slice(0, 0, 2 * inner, 2), gate_up_name),
          materialize(gate_up_bias[i].slice(0, 0, 2 * inner, 2), gate_up_name + "_bias", dtype_)},
         {materialize_weight(both.slice(0, 1, 2 * inner, 2), gate_up_name),
          materialize(gate_up_bias[i].slice(0, 1, 2 * inner, 2), gate_up_name + "_bias", dtype_)},
         {materialize_weight(down[i].t(), down_name),
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
    return materialize_weight(wide, matrix.name + "_blocks");
  };
  for (int64_t i = 0; i < count; ++i)
    layer.experts.experts.push_back(
        {{unpacked(gate_up, i, 0, 2),
          materialize(gate_up_bias[i].slice(0, 0, 2 * inner, 2), gate_up_bias_name, dtype_)},
         {unpacked(gate_up, i, 1, 2),
          materialize(gate_up_bias[i].slice(0, 1, 2 * inner, 2), gate_up_bias_name, dtype_)},
         {unpacked(down, i, 0, 1), materialize(down_bias[i], down_bias_name, dtype_)}});
}

}  // namespace air
