#include "model/gated_delta.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_solve_triangular.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>

#include <cmath>

#include "model/activation.h"
#include "model/causal_conv.h"
#include "model/chunked_scan.h"

namespace air {

namespace {

constexpr double kLengthEps = 1e-6;  // of the division by the length of q and k

at::Tensor unit_length(const at::Tensor& x) {
  return x * at::rsqrt((x * x).sum(-1, /*keepdim=*/true).add_(kLengthEps));
}

/// Chunks made ready for the serial part: B of them, h key heads, r value heads each, all float32.
struct PreparedChunks {
  at::Tensor values;   ///< [B, h, r, kChunk, Dv]: what each token would write into a state of 0
  at::Tensor readers;  ///< [B, h, r, 2 · kChunk, Dk]: what a state's part of them is read with; and
                       ///< the queries, decayed
  at::Tensor within;   ///< [B, h, r, kChunk, kChunk]: attention inside the chunk
  at::Tensor writers;  ///< [B, h, r, kChunk, Dk]: keys, decayed to the chunk's end
  at::Tensor decay;    ///< [B, h, r, 1, 1]: of the whole chunk
};

/// @param qkv [h, B · kChunk, w] after the convolution   @param rates [h, B · kChunk, 2 · r]
PreparedChunks prepare(const at::Tensor& qkv, const at::Tensor& rates, const at::Tensor& mask,
                       const GatedDeltaConfig& config) {
  const int64_t heads = qkv.size(0), chunks = qkv.size(1) / kChunk;
  const int64_t dk = config.key_head_dim, dv = config.value_head_dim, r = config.group_size();
  const at::Tensor by_chunk =
      qkv.view({heads, chunks, kChunk, config.head_channels()}).transpose(0, 1).to(at::kFloat);
  const at::Tensor q =
      unit_length(by_chunk.narrow(-1, 0, dk)).mul_(1.0 / std::sqrt(static_cast<double>(dk)));
  const at::Tensor k = unit_length(by_chunk.narrow(-1, dk, dk));
  const at::Tensor v = by_chunk.narrow(-1, 2 * dk, r * dv)
                           .unflatten(-1, {r, dv})
                           .transpose(2, 3);  // [B, h, r, kChunk, Dv]
  const at::Tensor by_head = rates.view({heads, chunks, kChunk, 2 * r}).permute({1, 0, 3, 2});
  const at::Tensor sums = by_head.narrow(2, 0, r).cumsum(-1);           // [B, h, r, kChunk]
  const at::Tensor beta = by_head.narrow(2, r, r).unsqueeze(-1);        // [B, h, r, kChunk, 1]
  const at::Tensor so_far = sums.exp().unsqueeze(-1);                   // since the chunk's start
  const at::Tensor end = sums.narrow(-1, kChunk - 1, 1).unsqueeze(-1);  // [B, h, r, 1, 1]
  const at::Tensor between =
      (sums.unsqueeze(-1) - sums.unsqueeze(-2)).add_(mask).exp_();  // from token j to token i
  const at::Tensor keys = k.transpose(-1, -2);
  PreparedChunks out;
  out.within = at::matmul(q, keys).unsqueeze(2) * between;
  // Each token's write depends on those before it in the chunk: a triangular system.
  const at::Tensor system = (at::matmul(k, keys).unsqueeze(2) * between).mul_(beta);
  at::Tensor right = at::empty({chunks, heads, r, kChunk, dv + dk}, q.options());
  right.narrow(-1, 0, dv).copy_(v).mul_(beta);
  right.narrow(-1, dv, dk).copy_(k.unsqueeze(2)).mul_(beta * so_far);
  const at::Tensor solved = at::linalg_solve_triangular(system, right, /*upper=*/false,
                                                        /*left=*/true, /*unitriangular=*/true);
  out.values = solved.narrow(-1, 0, dv);
  out.readers = at::cat({solved.narrow(-1, dv, dk), q.unsqueeze(2) * so_far}, -2);
  out.writers = k.unsqueeze(2) * (end - sums.unsqueeze(-1)).exp_();
  out.decay = end.exp();
  return out;
}

/// As AdvanceChunks. @param state [n, h, r, Dk, Dv]   @return [n, h, kChunk, r, Dv]
at::Tensor advance(const PreparedChunks& chunks, int64_t first, at::Tensor& state) {
  const int64_t active = state.size(0);
  const auto part = [&](const at::Tensor& all) {
    return all.narrow(0, first, active).flatten(0, 2);
  };
  const at::Tensor flat = state.flatten(0, 2);
  const at::Tensor read = part(chunks.readers).bmm(flat);
  const at::Tensor written = part(chunks.values) - read.narrow(1, 0, kChunk);
  const at::Tensor out = read.narrow(1, kChunk, kChunk).baddbmm(part(chunks.within), written);
  state.mul_(chunks.decay.narrow(0, first, active));
  flat.baddbmm_(part(chunks.writers).transpose(1, 2), written);
  return out.view({active, state.size(1), state.size(2), kChunk, -1}).transpose(2, 3);
}

}  // namespace

DeltaInputs::DeltaInputs(const GatedDeltaConfig& config, int64_t rows,
                         const at::TensorOptions& options)
    : qkv(at::empty({config.num_key_heads, rows + 1, config.head_channels()}, options)),
      rates(at::empty({config.num_key_heads, rows + 1, 2 * config.group_size()},
                      options.dtype(at::kFloat))) {
  qkv.select(1, rows).zero_();
  rates.select(1, rows).zero_();
}

void DeltaInputs::store(const GatedDelta& weights, const at::Tensor& normed, int64_t begin,
                        const GatedDeltaConfig& config) {
  const int64_t length = normed.size(0), heads = config.num_key_heads;
  const int64_t keys = config.key_size(), values = config.value_size();
  // Channels of all heads one after another become those of each key head.
  const auto put = [&](at::Tensor& whole, int64_t place, const at::Tensor& part) {
    const at::Tensor of_head = part.unflatten(1, {heads, -1}).transpose(0, 1);
    whole.narrow(1, begin, length).narrow(2, place, of_head.size(2)).copy_(of_head);
  };
  const at::Tensor projected = apply_linear(weights.qkv_proj, normed);
  put(qkv, 0, projected.narrow(1, 0, keys));
  put(qkv, config.key_head_dim, projected.narrow(1, keys, keys));
  put(qkv, 2 * config.key_head_dim, projected.narrow(1, 2 * keys, values));
  const int64_t num_values = config.num_value_heads;
  const at::Tensor both = apply_linear(weights.rates_proj, normed);
  const at::Tensor beta = at::sigmoid(both.narrow(1, 0, num_values)).to(at::kFloat);
  const at::Tensor steps =
      at::softplus(both.narrow(1, num_values, num_values).to(at::kFloat) + weights.dt_bias);
  put(rates, 0, steps.mul_(weights.a_log.exp().neg_()));
  put(rates, config.group_size(), beta * config.beta_multiplier);
}

at::Tensor gated_delta_scan(const GatedDelta& weights, const DeltaInputs& inputs,
                            const ScanPlan& plan, const GatedDeltaConfig& config,
                            Activation activation) {
  const int64_t r = config.group_size();
  const at::Tensor mask = future_mask(inputs.qkv.device());
  const auto prepare_chunks = [&](const at::Tensor& taps, HeadRange heads) -> AdvanceChunks {
    const auto of_heads = [&](const at::Tensor& all) {
      return all.narrow(0, heads.begin, heads.count);
    };
    at::Tensor qkv = causal_conv(of_heads(inputs.qkv), of_heads(weights.conv), {}, taps);
    activate(qkv, activation);
    const at::Tensor rates = of_heads(inputs.rates).index_select(1, taps[0]);
    return [chunks = prepare(qkv, rates, mask, config)](int64_t first, at::Tensor& state) {
      return advance(chunks, first, state);
    };
  };
  return run_chunked_scan({.num_heads = config.num_key_heads,
                           .state_shape = {r, config.key_head_dim, config.value_head_dim},
                           .out_width = r * config.value_head_dim,
                           .prepare = prepare_chunks},
                          plan, inputs.qkv.options());
}

at::Tensor gated_delta_rows(const GatedDelta& weights, const at::Tensor& scanned, int64_t begin,
                            int64_t length, const GatedDeltaConfig& config) {
  const at::Tensor heads = scanned.narrow(1, begin, length)
                               .transpose(0, 1)
                               .contiguous()
                               .view({length, config.num_value_heads, config.value_head_dim});
  return rms_norm(heads, weights.out_norm.weight, config.norm_eps)
      .view({length, config.value_size()});
}

}  // namespace air
