// The weights of mixers other than plain attention.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <utility>

#include "base/error.h"
#include "model/weight_reader.h"

namespace air {

void WeightReader::read_latent_attention(const AttentionSizes& sizes, DecoderLayer& layer) {
  const LatentNames& names = config_.names.latent;
  const LatentConfig& config = config_.latent;
  const int64_t hidden = config_.hidden_size, rank = config.kv_rank, turning = config.rope_dim,
                fixed = sizes.head_dim - turning;
  LatentAttention& latent = layer.latent;
  int64_t q_input = hidden;
  std::string q_name = layer_ + config_.names.q_proj;
  if (config.q_rank > 0) {
    latent.q_down = linear(layer_ + names.q_down, config.q_rank, hidden, config_.qkv_bias);
    latent.q_norm = norm(names.q_norm, {config.q_rank});
    q_input = config.q_rank;
    q_name = layer_ + names.q_up;
  }
  // Rows [begin, begin + length) of each head.
  const auto of_heads = [&](const std::string& name, int64_t of_head, int64_t input,
                            std::vector<std::pair<int64_t, int64_t>> parts) {
    const at::Tensor heads = checkpoint_.view(name, {sizes.num_heads * of_head, input})
                                 .unflatten(0, {sizes.num_heads, of_head});
    std::vector<at::Tensor> pieces;
    for (const auto& [begin, length] : parts) pieces.push_back(heads.narrow(1, begin, length));
    return Linear{materialize_weight(at::cat(pieces, 1).flatten(0, 1), name), {}};
  };
  latent.q_up =
      of_heads(q_name + ".weight", sizes.head_dim, q_input, {{fixed, turning}, {0, fixed}});
  const std::string down = layer_ + names.kv_down, up = layer_ + names.kv_up + ".weight";
  latent.kv_down = rows_of(down, {0, rank, rank + turning}, hidden, config_.qkv_bias);
  latent.k_rope = rows_of(down, {rank, turning, rank + turning}, hidden, config_.qkv_bias);
  latent.kv_norm = norm(names.kv_norm, {rank});
  latent.k_up = of_heads(up, fixed + sizes.v_head_dim, rank, {{0, fixed}});
  latent.v_up = of_heads(up, fixed + sizes.v_head_dim, rank, {{fixed, sizes.v_head_dim}});
}

void WeightReader::read_delta_projections(DecoderLayer& layer) {
  const GatedDeltaConfig& sizes = config_.gated_delta;
  const GatedDeltaNames& names = config_.names.delta;
  const auto part = [&](const char* name, int64_t rows) {
    return linear(layer_ + name, rows, config_.hidden_size, false);
  };
  const auto rows_to_join = [&](const char* name, int64_t rows) {
    return tensor(layer_ + name + ".weight", {rows, config_.hidden_size});
  };
  if (names.qkv_proj != nullptr)
    layer.delta.qkv_proj = part(names.qkv_proj, sizes.channels());
  else
    layer.delta.qkv_proj.weight = at::cat({rows_to_join(names.q_proj, sizes.key_size()),
                                           rows_to_join(names.k_proj, sizes.key_size()),
                                           rows_to_join(names.v_proj, sizes.value_size())});
  layer.output_gate = part(names.z_proj, sizes.value_size());
  layer.delta.rates_proj.weight = at::cat({rows_to_join(names.b_proj, sizes.num_value_heads),
                                           rows_to_join(names.a_proj, sizes.num_value_heads)});
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

void WeightReader::read_mamba2(DecoderLayer& layer) {
  const Mamba2Config& sizes = config_.mamba2;
  const Mamba2Names& names = config_.names.mamba2;
  const int64_t hidden = config_.hidden_size, channels = sizes.channels(),
                convolved = sizes.conv_channels(), of_groups = sizes.num_groups * sizes.state_size,
                rows = channels + convolved + sizes.num_heads;
  Mamba2& mamba = layer.mamba2;
  const auto part = [&](int64_t begin, int64_t count) {
    return rows_of(layer_ + names.in_proj, {begin, count, rows}, hidden, sizes.in_bias);
  };
  mamba.gate_proj = part(0, channels);
  mamba.channels_proj = part(channels, convolved);
  mamba.steps_proj = part(channels + convolved, sizes.num_heads);
  // [channels, …] of all units or groups → [units, …, their channels]
  const auto of_each = [&](const at::Tensor& all, int64_t begin, int64_t count, int64_t pieces) {
    return all.narrow(0, begin, count).unflatten(0, {pieces, -1});
  };
  const auto of_groups_of = [&](const at::Tensor& all) {
    return at::cat({of_each(all, channels, of_groups, sizes.num_groups),
                    of_each(all, channels + of_groups, of_groups, sizes.num_groups)},
                   1);
  };
  const std::string conv_name = layer_ + names.conv;
  const at::Tensor conv =
      tensor(conv_name + ".weight", {convolved, 1, sizes.conv_width}).squeeze(1).to(at::kFloat);
  mamba.head_conv = of_each(conv, 0, channels, sizes.num_units()).transpose(1, 2).contiguous();
  mamba.group_conv = of_groups_of(conv).transpose(1, 2).contiguous();
  if (sizes.conv_bias) {
    const at::Tensor bias = tensor(conv_name + ".bias", {convolved}).to(at::kFloat);
    mamba.head_bias = of_each(bias, 0, channels, sizes.num_units());
    mamba.group_bias = of_groups_of(bias);
  }
  mamba.a_log = float_tensor(layer_ + names.a_log, {sizes.num_heads});
  mamba.step_bias = float_tensor(layer_ + names.step_bias, {sizes.num_heads});
  mamba.skip = float_tensor(layer_ + names.skip, {sizes.num_heads});
  if (sizes.norm) mamba.norm = float_tensor(layer_ + names.norm + ".weight", {channels});
  mamba.out_proj = linear(layer_ + names.out_proj, hidden, channels, sizes.out_bias);
}

}  // namespace air
