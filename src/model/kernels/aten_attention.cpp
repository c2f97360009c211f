#include "model/kernels/aten_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "model/device.h"

namespace air {

namespace {

// Scores of one block where they are computed explicitly: 16 MiB of float32; elsewhere than on the
// CPU 256 MiB, so that few launches do.
constexpr int64_t kBlockScores = int64_t{1} << 22;
constexpr int64_t kAcceleratorBlockScores = int64_t{1} << 26;

/// Rows of one sequence as [1, heads, T, D], without a copy.
at::Tensor as_heads(const at::Tensor& x, int64_t begin, int64_t length) {
  return x.narrow(0, begin, length).transpose(0, 1).unsqueeze(0);
}

/// Queries of one sequence, and all keys and values that they may see.
struct Sequence {
  at::Tensor q;            ///< [T, H, D]
  at::Tensor k, v;         ///< [P + T, K, D] and [P + T, K, E]
  int64_t first_position;  ///< P, of the first query
};

/// Without a prefix, and of at most one window. @param out [T, H, E]
void causal_attention(const Sequence& in, double scale, at::Tensor& out) {
  const int64_t length = in.q.size(0);
  const at::Tensor attended = at::scaled_dot_product_attention(
      as_heads(in.q, 0, length), as_heads(in.k, 0, length), as_heads(in.v, 0, length),
      /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/true, scale,
      /*enable_gqa=*/in.q.size(1) != in.k.size(1));
  out.copy_(attended.squeeze(0).transpose(0, 1));
}

/// Queries from `begin` on, in blocks that see the slice of keys that their windows cover.
void masked_attention(const Sequence& in, int64_t begin, const AttentionSpec& spec,
                      at::Tensor& out) {
  const int64_t length = in.q.size(0);
  const int64_t block = spec.window ? std::clamp<int64_t>(*spec.window / 2, 64, 512) : 512;
  for (; begin < length; begin += block) {
    const int64_t rows = std::min(block, length - begin);
    const int64_t position = in.first_position + begin, end = position + rows;
    const int64_t first_key = spec.first_key(position);
    const at::Tensor mask =
        visible_keys(position_range(position, end, in.q.device()),
                     position_range(first_key, end, in.q.device()), spec.window);
    const at::Tensor attended = at::scaled_dot_product_attention(
        as_heads(in.q, begin, rows), as_heads(in.k, first_key, end - first_key),
        as_heads(in.v, first_key, end - first_key), mask,
        /*dropout_p=*/0.0, /*is_causal=*/false, spec.scale,
        /*enable_gqa=*/in.q.size(1) != in.k.size(1));
    out.narrow(0, begin, rows).copy_(attended.squeeze(0).transpose(0, 1));
  }
}

/// With explicit scores, for what fused kernels do not do: soft caps and sinks.
void explicit_attention(const Sequence& in, const AttentionSpec& spec, at::Tensor& out) {
  const int64_t length = in.q.size(0), num_heads = in.q.size(1), kv_heads = in.k.size(1),
                all = in.k.size(0);
  const int64_t widest = spec.window ? std::min(all, 2 * *spec.window) : all;
  const int64_t scores = in.q.is_cpu() ? kBlockScores : kAcceleratorBlockScores;
  const int64_t most = in.q.is_cpu() ? 512 : 4096;
  const int64_t block = std::clamp<int64_t>(scores / (num_heads * widest), 16, most);
  for (int64_t begin = 0; begin < length; begin += block) {
    const int64_t rows = std::min(block, length - begin);
    const int64_t position = in.first_position + begin, end = position + rows;
    const int64_t first_key = spec.first_key(position);
    const int64_t keys = end - first_key;
    const at::Tensor shares =
        attention_probabilities(in.q.narrow(0, begin, rows), in.k.narrow(0, first_key, keys),
                                position_range(position, end, in.q.device()),
                                position_range(first_key, end, in.q.device()), spec);
    const at::Tensor values =
        in.v.narrow(0, first_key, keys).transpose(0, 1).to(at::kFloat);  // [K, S, D]
    const at::Tensor grouped = shares.reshape({kv_heads, num_heads / kv_heads * rows, keys});
    const at::Tensor attended = at::matmul(grouped, values).view({num_heads, rows, in.v.size(2)});
    out.narrow(0, begin, rows).copy_(attended.transpose(0, 1));
  }
}

/// Rows of a sequence after those of its prefix.
at::Tensor with_prefix(const at::Tensor& x, const PackedSequences& sequences, int64_t sequence) {
  const at::Tensor own = x.narrow(0, sequences.begin(sequence), sequences.length(sequence));
  const int64_t prefix = sequences.prefix_of(sequence);
  return prefix < 0
             ? own
             : at::cat({x.narrow(0, sequences.begin(prefix), sequences.length(prefix)), own});
}

}  // namespace

at::Tensor aten_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const PackedSequences& sequences, const AttentionSpec& spec) {
  at::Tensor out = at::empty({q.size(0), q.size(1), v.size(2)}, q.options());
  for (int64_t i = 0; i < sequences.size(); ++i) {
    const int64_t length = sequences.length(i), before = sequences.prefix_length(i);
    const Sequence in{q.narrow(0, sequences.begin(i), length), with_prefix(k, sequences, i),
                      with_prefix(v, sequences, i), before};
    at::Tensor attended = out.narrow(0, sequences.begin(i), length);
    if (spec.softcap > 0 || spec.sinks.defined()) {
      explicit_attention(in, spec, attended);
    } else if (before > 0) {
      masked_attention(in, 0, spec, attended);
    } else if (spec.window && length > *spec.window) {
      const int64_t window = *spec.window;
      at::Tensor first = attended.narrow(0, 0, window);
      causal_attention({in.q.narrow(0, 0, window), in.k, in.v, 0}, spec.scale, first);
      masked_attention(in, window, spec, attended);
    } else {
      causal_attention(in, spec.scale, attended);
    }
  }
  return out;
}

at::Tensor aten_attention_rows(const at::Tensor& q, const at::Tensor& k,
                               const std::vector<int64_t>& rows, const AttentionSpec& spec) {
  const at::Tensor positions =
      upload(at::tensor(rows, at::TensorOptions().dtype(at::kLong)), q.device());
  return attention_probabilities(q, k, positions, position_range(0, k.size(0), q.device()), spec);
}

}  // namespace air
