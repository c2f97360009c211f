// Attention over packed sequences as its definition says, for what is held against it.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "model/kernels/varlen_attention.h"

namespace air::test {

inline std::vector<int64_t> numbers(const at::Tensor& bounds) {
  EXPECT_EQ(bounds.scalar_type(), at::kInt);
  EXPECT_TRUE(bounds.is_contiguous());
  std::vector<int64_t> list;
  for (int64_t i = 0; i < bounds.size(0); ++i) list.push_back(bounds[i].item<int64_t>());
  return list;
}

/// Sequence by sequence, as FlashAttention's documentation says: queries end where keys end, a
/// window counts back from the diagonal.
inline VarlenResult varlen_by_definition(const at::Tensor& q, const at::Tensor& k,
                                         const at::Tensor& v, const VarlenCall& call) {
  const auto query_ends = numbers(call.layout.cu_queries), key_ends = numbers(call.layout.cu_keys);
  const int64_t group = q.size(1) / k.size(1);
  VarlenResult result{at::empty({q.size(0), q.size(1), v.size(2)}, q.options()),
                      at::empty({q.size(1), q.size(0)}, q.options())};
  for (size_t i = 0; i + 1 < query_ends.size(); ++i) {
    const int64_t rows = query_ends[i + 1] - query_ends[i], keys = key_ends[i + 1] - key_ends[i];
    EXPECT_LE(rows, call.layout.max_queries);
    EXPECT_LE(keys, call.layout.max_keys);
    const auto of_all_heads = [&](const at::Tensor& x) {
      return x.narrow(0, key_ends[i], keys).repeat_interleave(group, 1);
    };
    at::Tensor scores =
        at::einsum("qhd,khd->hqk", {q.narrow(0, query_ends[i], rows), of_all_heads(k)}) *
        call.scale;
    const at::Tensor distance =
        (at::arange(rows, at::kLong) + (keys - rows)).unsqueeze(1) - at::arange(keys, at::kLong);
    at::Tensor hidden = distance < 0;
    if (call.window) hidden = hidden.logical_or(distance >= *call.window);
    scores.masked_fill_(hidden, -std::numeric_limits<double>::infinity());
    result.out.narrow(0, query_ends[i], rows)
        .copy_(at::einsum("hqk,khd->qhd", {at::softmax(scores, -1), of_all_heads(v)}));
    result.lse.narrow(1, query_ends[i], rows).copy_(at::logsumexp(scores, -1));
  }
  return result;
}

}  // namespace air::test
