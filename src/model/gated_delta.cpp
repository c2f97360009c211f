#include "model/gated_delta.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_solve_triangular.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/activation.h"
#include "model/causal_conv.h"

namespace air {

namespace {

constexpr double kLengthEps = 1e-6;  // of the division by the length of q and k

/// Key heads [begin, begin + count).
struct HeadRange {
  int64_t begin, count;
};

at::Tensor unit_length(const at::Tensor& x) {
  return x * at::rsqrt((x * x).sum(-1, /*keepdim=*/true).add_(kLengthEps));
}

/// −∞ above the diagonal, 0 elsewhere, [kChunk, kChunk].
at::Tensor future_mask(at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  return at::full({kChunk, kChunk}, -std::numeric_limits<float>::infinity(), options).triu_(1);
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

/// Runs through the chunks of one step. @param state [n, h, r, Dk, Dv], changed in place
/// @return what the tokens read, [n, h, r, kChunk, Dv]
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
  return out.view({active, state.size(1), state.size(2), kChunk, -1});
}

/// The work on one group for some key heads.
struct GroupScan {
  const GatedDelta& weights;
  const DeltaInputs& inputs;
  const GatedDeltaConfig& config;
  Activation activation;
  const at::Tensor& mask;
  at::Tensor& kept;  ///< [sequences that others continue, Hk, r, Dk, Dv] float32
  at::Tensor& out;   ///< [Hk, N + 1, r · Dv]

  PreparedChunks prepared(const at::Tensor& taps, HeadRange heads) const {
    const auto of_heads = [&](const at::Tensor& all) {
      return all.narrow(0, heads.begin, heads.count);
    };
    at::Tensor qkv = causal_conv(of_heads(inputs.qkv), of_heads(weights.conv), taps);
    activate(qkv, activation);
    return prepare(qkv, of_heads(inputs.rates).index_select(1, taps[0]), mask, config);
  }

  void run(const ScanGroup& group, HeadRange heads, int64_t most_chunks) const {
    const int64_t r = config.group_size();
    at::Tensor state = group.start.defined()
                           ? kept.narrow(1, heads.begin, heads.count).index_select(0, group.start)
                           : at::zeros({group.num_sequences(), heads.count, r, config.key_head_dim,
                                        config.value_head_dim},
                                       inputs.rates.options());
    int64_t begin = 0;  // of the segment, in chunks
    for (size_t step = 0; step < group.active.size();) {
      size_t end = step;
      int64_t chunks = 0;
      do chunks += group.active[end++];
      while (end < group.active.size() && chunks + group.active[end] <= most_chunks);
      const at::Tensor taps = group.taps.narrow(1, begin * kChunk, chunks * kChunk);
      const PreparedChunks ready = prepared(taps, heads);
      std::vector<at::Tensor> read;
      for (int64_t first = 0; step < end; first += group.active[step++]) {
        at::Tensor active = state.narrow(0, 0, group.active[step]);
        read.push_back(advance(ready, first, active));
      }
      // [chunks, h, r, kChunk, Dv] → rows of each key head
      const at::Tensor rows =
          at::cat(read)
              .permute({1, 0, 3, 2, 4})
              .reshape({heads.count, chunks * kChunk, r * config.value_head_dim});
      out.narrow(0, heads.begin, heads.count).index_copy_(1, taps[0], rows.to(out.scalar_type()));
      begin += chunks;
    }
    if (group.kept.defined())
      kept.narrow(1, heads.begin, heads.count)
          .index_copy_(0, group.kept_index, state.index_select(0, group.kept));
  }
};

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
  const int64_t heads = config.num_key_heads, r = config.group_size();
  const at::Device device = inputs.qkv.device();
  at::Tensor out =
      at::empty({heads, plan.num_rows + 1, r * config.value_head_dim}, inputs.qkv.options());
  at::Tensor kept = at::empty({plan.num_kept, heads, r, config.key_head_dim, config.value_head_dim},
                              inputs.rates.options());
  const at::Tensor mask = future_mask(device);
  const GroupScan scan{weights, inputs, config, activation, mask, kept, out};
  for (const std::vector<ScanGroup>& round : plan.rounds) {
    const auto num_groups = static_cast<int64_t>(round.size());
    const int64_t pieces = (heads + plan.shape.heads - 1) / plan.shape.heads * num_groups;
    const auto some = [&](int64_t first, int64_t last) {
      c10::InferenceMode guard;
      for (int64_t i = first; i < last; ++i) {
        const int64_t begin = i / num_groups * plan.shape.heads;
        scan.run(round[i % num_groups], {begin, std::min(plan.shape.heads, heads - begin)},
                 plan.shape.segment_chunks);
      }
    };
    if (device.is_cpu())
      at::parallel_for(0, pieces, 1, some);
    else
      some(0, pieces);
  }
  return out;
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
