#include "model/mamba2.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/softplus.h>

#include <cmath>

#include "model/activation.h"
#include "model/causal_conv.h"

namespace air {

namespace {

at::Tensor times(const at::Tensor& x, double factor) { return factor == 1.0 ? x : x * factor; }

/// Chunks made ready for the serial part: B of them, n units, u heads each, all float32.
struct PreparedChunks {
  at::Tensor readers;  ///< [B, n, kChunk, S]: C
  at::Tensor so_far;   ///< [B, n, kChunk, u, 1]: the decay since the chunk's start
  at::Tensor within;   ///< [B, n, kChunk, u · P]: what a token reads of its chunk and of itself
  at::Tensor written;  ///< [B, n, S, u · P]: what the chunk leaves in a state
  at::Tensor decay;    ///< [B, n, 1, u, 1]: of the whole chunk
};

/// @param heads [n, B · kChunk, u · P], groups [n, B · kChunk, 2 · S], after the convolution
/// @param rates [n, B · kChunk, 2 · u]   @param skip [n, u]
PreparedChunks prepare(const at::Tensor& heads, const at::Tensor& groups, const at::Tensor& rates,
                       const at::Tensor& skip, const at::Tensor& mask, const Mamba2Config& config) {
  const int64_t u = config.unit_heads(), size = config.state_size;
  const auto by_chunk = [](const at::Tensor& rows) {
    return rows.unflatten(1, {-1, kChunk}).transpose(0, 1).to(at::kFloat);
  };
  const at::Tensor both = by_chunk(groups);
  const at::Tensor b = both.narrow(-1, 0, size), c = both.narrow(-1, size, size);
  const at::Tensor x = by_chunk(heads).unflatten(-1, {u, config.head_dim});
  const at::Tensor by_head = by_chunk(rates).transpose(2, 3);  // [B, n, 2 · u, kChunk]
  const at::Tensor sums = by_head.narrow(2, 0, u).cumsum(-1);  // [B, n, u, kChunk]
  const at::Tensor end = sums.narrow(-1, kChunk - 1, 1);       // [B, n, u, 1]
  const auto of_tokens = [](const at::Tensor& numbers) {       // [B, n, kChunk, u, 1]
    return numbers.transpose(2, 3).unsqueeze(-1);
  };
  const at::Tensor scaled = x * of_tokens(by_head.narrow(2, u, u));
  // From token j to token i of a chunk.
  at::Tensor between = (sums.unsqueeze(-1) - sums.unsqueeze(-2)).add_(mask).exp_();
  between.mul_(at::matmul(c, b.transpose(2, 3)).unsqueeze(2));
  const at::Tensor seen = at::matmul(between, scaled.transpose(2, 3)).transpose(2, 3);
  const at::Tensor left = scaled * of_tokens((end - sums).exp_());
  PreparedChunks out;
  out.readers = c;
  out.so_far = of_tokens(sums.exp());
  out.within = seen.addcmul(x, skip.unsqueeze(1).unsqueeze(-1)).flatten(3);
  out.written = at::matmul(b.transpose(2, 3), left.flatten(3));
  out.decay = of_tokens(end.exp());
  return out;
}

/// As AdvanceChunks. @param state [m, n, S, u · P]   @return [m, n, kChunk, u · P]
at::Tensor advance(const PreparedChunks& chunks, int64_t first, at::Tensor& state,
                   const Mamba2Config& config) {
  const auto part = [&](const at::Tensor& all) { return all.narrow(0, first, state.size(0)); };
  const auto by_head = [&](const at::Tensor& all) {
    return all.unflatten(-1, {config.unit_heads(), config.head_dim});
  };
  const at::Tensor read = at::matmul(part(chunks.readers), state);
  by_head(read).mul_(part(chunks.so_far));
  by_head(state).mul_(part(chunks.decay));
  state.add_(part(chunks.written));
  return read + part(chunks.within);
}

}  // namespace

Mamba2Inputs::Mamba2Inputs(const Mamba2Config& config, int64_t rows,
                           const at::TensorOptions& options)
    : heads(at::empty({config.num_units(), rows + 1, config.unit_channels()}, options)),
      groups(at::empty({config.num_groups, rows + 1, 2 * config.state_size}, options)),
      rates(at::empty({config.num_units(), rows + 1, 2 * config.unit_heads()},
                      options.dtype(at::kFloat))) {
  for (at::Tensor* all : {&heads, &groups, &rates}) all->select(1, rows).zero_();
}

void Mamba2Inputs::store(const Mamba2& weights, const at::Tensor& normed, int64_t begin,
                         const Mamba2Config& config) {
  const int64_t length = normed.size(0), size = config.state_size;
  // Of all units or groups one after another, into each one's rows.
  const auto put = [&](at::Tensor& whole, int64_t place, const at::Tensor& part, double factor) {
    const at::Tensor of_each = part.unflatten(1, {whole.size(0), -1}).transpose(0, 1);
    at::Tensor rows = whole.narrow(1, begin, length).narrow(2, place, of_each.size(2));
    rows.copy_(of_each);
    if (factor != 1.0) rows.mul_(factor);
  };
  const Mamba2Multipliers& multipliers = config.multipliers;
  const at::Tensor input = times(normed, multipliers.input);
  const at::Tensor projected = apply_linear(weights.channels_proj, input);
  const int64_t channels = config.channels(), of_groups = config.num_groups * size;
  put(heads, 0, projected.narrow(1, 0, channels), multipliers.x);
  put(groups, 0, projected.narrow(1, channels, of_groups), multipliers.b);
  put(groups, size, projected.narrow(1, channels + of_groups, of_groups), multipliers.c);
  const at::Tensor raw =
      times(apply_linear(weights.steps_proj, input), multipliers.step).to(at::kFloat);
  const at::Tensor steps =
      at::softplus(raw + weights.step_bias).clamp_(config.min_step, config.max_step);
  put(rates, 0, steps * weights.a_log.exp().neg_(), 1.0);
  put(rates, config.unit_heads(), steps, 1.0);
}

at::Tensor mamba2_scan(const Mamba2& weights, const Mamba2Inputs& inputs, const ScanPlan& plan,
                       const Mamba2Config& config) {
  const at::Tensor mask = future_mask(inputs.heads.device());
  const at::Tensor skip = weights.skip.view({config.num_units(), config.unit_heads()});
  const auto prepare_chunks = [&](const at::Tensor& taps, HeadRange units) -> AdvanceChunks {
    const auto convolved = [&](const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias, HeadRange range) {
      const auto of_range = [&](const at::Tensor& all) {
        return all.defined() ? all.narrow(0, range.begin, range.count) : all;
      };
      at::Tensor out = causal_conv(of_range(x), of_range(weight), of_range(bias), taps);
      activate(out, config.activation);
      return out;
    };
    const at::Tensor heads = convolved(inputs.heads, weights.head_conv, weights.head_bias, units);
    const int64_t per_group = config.num_units() / config.num_groups;
    const int64_t first_group = units.begin / per_group,
                  end_group = (units.begin + units.count - 1) / per_group + 1;
    at::Tensor groups = convolved(inputs.groups, weights.group_conv, weights.group_bias,
                                  {first_group, end_group - first_group});
    if (groups.size(0) != units.count)
      groups =
          groups.index_select(0, at::arange(units.begin, units.begin + units.count, taps.options())
                                     .floor_divide_(per_group)
                                     .sub_(first_group));
    const at::Tensor rates =
        inputs.rates.narrow(0, units.begin, units.count).index_select(1, taps[0]);
    return [&config, chunks = prepare(heads, groups, rates,
                                      skip.narrow(0, units.begin, units.count), mask, config)](
               int64_t first, at::Tensor& state) { return advance(chunks, first, state, config); };
  };
  return run_chunked_scan({.num_heads = config.num_units(),
                           .state_shape = {config.state_size, config.unit_channels()},
                           .out_width = config.unit_channels(),
                           .prepare = prepare_chunks},
                          plan, inputs.heads.options());
}

at::Tensor mamba2_rows(const Mamba2& weights, const at::Tensor& scanned, int64_t begin,
                       const at::Tensor& normed, const Mamba2Config& config) {
  const int64_t length = normed.size(0);
  const Mamba2Multipliers& multipliers = config.multipliers;
  at::Tensor gate =
      times(apply_linear(weights.gate_proj, times(normed, multipliers.input)), multipliers.gate)
          .to(at::kFloat);
  at::Tensor rows = scanned.narrow(1, begin, length)
                        .transpose(0, 1)
                        .reshape({length, config.channels()})
                        .to(at::kFloat);
  // In float32, as the recurrence: the gate's product, and a norm of each group's channels.
  const auto normalised = [&](const at::Tensor& x) {
    if (!weights.norm.defined()) return x;
    const at::Tensor of_groups = x.unflatten(1, {config.num_groups, -1});
    const at::Tensor inverse =
        at::rsqrt(of_groups.square().mean(-1, /*keepdim=*/true).add_(config.norm_eps));
    return (of_groups * inverse).flatten(1).mul_(weights.norm);
  };
  const auto gated = [&](at::Tensor& x) {
    apply_gate(gate, x, {Activation::kSilu});
    return gate;
  };
  if (config.norm_before_gate) rows = normalised(rows);
  rows = gated(rows);
  if (!config.norm_before_gate) rows = normalised(rows);
  return times(apply_linear(weights.out_proj, rows.to(normed.scalar_type())), multipliers.output);
}

}  // namespace air
