// Attention against an explicit matrix: windows, soft caps, sinks, packing, and what a head of zero
// queries does.
#include "model/attention.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

namespace air {
namespace {

constexpr double kTolerance = 1e-5;
constexpr int64_t kHeads = 4, kKvHeads = 2, kHeadDim = 8, kValueDim = 12;

struct Inputs {
  at::Tensor q, k, v;
};

Inputs random_inputs(int64_t length, uint64_t seed) {
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  const auto random = [&](int64_t heads, int64_t width) {
    return at::randn({length, heads, width}, generator, at::TensorOptions().dtype(at::kFloat));
  };
  return {random(kHeads, kHeadDim), random(kKvHeads, kHeadDim), random(kKvHeads, kValueDim)};
}

/// One row of probabilities, number by number.
std::vector<double> expected_row(const Inputs& in, int64_t head, int64_t row,
                                 const AttentionSpec& spec) {
  std::vector<double> shares(static_cast<size_t>(in.k.size(0)), 0.0);
  double sum = spec.sinks.defined() ? std::exp(spec.sinks[head].item<double>()) : 0.0;
  for (int64_t key = 0; key <= row; ++key) {
    if (spec.window && row - key >= *spec.window) continue;
    double score =
        (in.q[row][head] * in.k[key][head / (kHeads / kKvHeads)]).sum().item<double>() * spec.scale;
    if (spec.softcap > 0) score = spec.softcap * std::tanh(score / spec.softcap);
    sum += shares[static_cast<size_t>(key)] = std::exp(score);
  }
  for (double& share : shares) share /= sum;
  return shares;
}

at::Tensor rows_of(const at::Tensor& q, const std::vector<int64_t>& rows) {
  return q.index_select(0, at::tensor(rows, at::kLong));
}

void expect_equal_to_explicit(const AttentionSpec& spec, int64_t length,
                              const std::vector<int64_t>& rows) {
  const Inputs in = random_inputs(length, 1);
  const at::Tensor attended = packed_attention(in.q, in.k, in.v, {{0, length}, {}}, spec);
  const at::Tensor probabilities = attention_rows(rows_of(in.q, rows), in.k, rows, spec);
  ASSERT_EQ(probabilities.sizes(),
            at::IntArrayRef({kHeads, static_cast<int64_t>(rows.size()), length}));
  for (int64_t head = 0; head < kHeads; ++head) {
    for (size_t i = 0; i < rows.size(); ++i) {
      const at::Tensor expected = at::tensor(expected_row(in, head, rows[i], spec), at::kDouble);
      const at::Tensor found = probabilities[head][static_cast<int64_t>(i)];
      EXPECT_LT((found - expected).abs().max().item<double>(), kTolerance);
      const at::Tensor values = in.v.select(1, head / (kHeads / kKvHeads)).to(at::kDouble);
      const at::Tensor output = (expected.unsqueeze(1) * values).sum(0);
      EXPECT_LT((attended[rows[i]][head] - output).abs().max().item<double>(), kTolerance)
          << "row " << rows[i];
    }
  }
}

TEST(AttentionTest, CausalRowsAreThoseOfTheMatrix) {
  expect_equal_to_explicit({.scale = 0.3}, 20, {0, 7, 19});
}

TEST(AttentionTest, LongSequencesSeeNoKeyAfterThemselves) {
  // So long that a block's keys are not a multiple of what they are rounded up to.
  expect_equal_to_explicit({.scale = 0.3}, 5000,
                           {0, 79, 80, 103, 104, 105, 4159, 4160, 4998, 4999});
}

TEST(AttentionTest, WindowsReachAcrossBlocks) {
  // 64 queries a block, so that 300 tokens make whole ones and a rest
  expect_equal_to_explicit({.scale = 0.3, .window = 100}, 300,
                           {0, 50, 99, 100, 101, 163, 164, 200, 299});
  expect_equal_to_explicit({.scale = 0.3, .window = 1}, 150, {0, 1, 70, 149});
  expect_equal_to_explicit({.scale = 0.3, .window = 20}, 20, {0, 19});
}

TEST(AttentionTest, SoftCapsAreAppliedBeforeTheMask) {
  expect_equal_to_explicit({.scale = 2.0, .softcap = 1.5}, 30, {0, 29});
  expect_equal_to_explicit({.scale = 2.0, .window = 40, .softcap = 1.5}, 700,
                           {0, 39, 40, 511, 512, 513, 699});
}

TEST(AttentionTest, SinksTakeTheirShare) {
  const at::Tensor sinks = at::tensor({-1.0, 0.0, 2.0, 5.0}, at::kFloat);
  expect_equal_to_explicit({.scale = 0.5, .sinks = sinks}, 30, {0, 29});
  expect_equal_to_explicit({.scale = 0.5, .window = 6, .sinks = sinks}, 600,
                           {0, 5, 6, 511, 512, 599});
}

TEST(AttentionTest, ZeroQueriesAreUniformOverTheVisibleKeys) {
  const int64_t length = 60;
  Inputs in = random_inputs(length, 2);
  in.q.zero_();
  for (const double softcap : {0.0, 2.0}) {
    for (const std::optional<int64_t> window : {std::optional<int64_t>(), {9}}) {
      const at::Tensor rows = attention_rows(rows_of(in.q, {3, 40}), in.k, {3, 40},
                                             {.scale = 0.7, .window = window, .softcap = softcap});
      for (const auto& [row, position] : {std::pair{0, 3}, {1, 40}}) {
        const int64_t first = window ? std::max<int64_t>(0, position - *window + 1) : 0;
        at::Tensor expected = at::zeros({length});
        expected.narrow(0, first, position + 1 - first)
            .fill_(1.0 / static_cast<double>(position + 1 - first));
        EXPECT_LT((rows.select(1, row) - expected).abs().max().item<double>(), 1e-7);
      }
    }
  }
}

TEST(AttentionTest, ZeroQueriesLeaveASinkItsLogit) {
  Inputs in = random_inputs(12, 3);
  in.q.zero_();
  const at::Tensor sinks = at::tensor({-1.0, 0.0, 1.0, 3.0}, at::kFloat);
  const at::Tensor rows =
      attention_rows(rows_of(in.q, {7}), in.k, {7}, {.scale = 0.7, .sinks = sinks});
  for (int64_t head = 0; head < kHeads; ++head)
    EXPECT_NEAR(rows[head][0][5].item<double>(), 1.0 / (8.0 + std::exp(sinks[head].item<double>())),
                1e-6);
}

TEST(AttentionTest, SequencesDoNotSeeEachOther) {
  const Inputs in = random_inputs(250, 4);
  for (const AttentionSpec& spec :
       {AttentionSpec{.scale = 0.3}, AttentionSpec{.scale = 0.3, .window = 30},
        AttentionSpec{.scale = 0.3, .window = 30, .softcap = 3.0}}) {
    const at::Tensor packed = packed_attention(in.q, in.k, in.v, {{0, 130, 250}, {}}, spec);
    const at::Tensor alone = packed_attention(in.q.narrow(0, 130, 120), in.k.narrow(0, 130, 120),
                                              in.v.narrow(0, 130, 120), {{0, 120}, {}}, spec);
    EXPECT_LT((packed.narrow(0, 130, 120) - alone).abs().max().item<double>(), kTolerance);
  }
}

/// Of rows [0, 90) and three continuations with 70 rows each: the i-th as it would be by itself.
at::Tensor one_of_them(const at::Tensor& x, int64_t i) {
  return at::cat({x.narrow(0, 0, 90), x.narrow(0, 90 + 70 * i, 70)});
}

TEST(AttentionTest, APrefixIsSeenByAllThatContinueIt) {
  const PackedSequences sequences = {{0, 90, 160, 230, 300}, {-1, 0, 0, 0}};
  for (const at::ScalarType dtype :
       {at::kFloat, at::kDouble}) {  // float32 has code of its own, the rest is ATen's
    Inputs in = random_inputs(300, 5);
    for (at::Tensor* x : {&in.q, &in.k, &in.v}) *x = x->to(dtype);
    for (const AttentionSpec& spec :
         {AttentionSpec{.scale = 0.3}, AttentionSpec{.scale = 0.3, .window = 40},
          AttentionSpec{.scale = 0.3, .window = 100},
          AttentionSpec{.scale = 0.3, .window = 40, .softcap = 3.0},
          AttentionSpec{.scale = 0.3, .sinks = at::ones({kHeads})}}) {
      const at::Tensor shared = packed_attention(in.q, in.k, in.v, sequences, spec);
      for (int64_t i = 0; i < 3; ++i) {
        const at::Tensor alone = packed_attention(one_of_them(in.q, i), one_of_them(in.k, i),
                                                  one_of_them(in.v, i), {{0, 160}, {}}, spec);
        EXPECT_LT((shared.narrow(0, 0, 90) - alone.narrow(0, 0, 90)).abs().max().item<double>(),
                  kTolerance);
        EXPECT_LT((shared.narrow(0, 90 + 70 * i, 70) - alone.narrow(0, 90, 70))
                      .abs()
                      .max()
                      .item<double>(),
                  kTolerance);
      }
    }
  }
}

TEST(PackedSequencesTest, RepeatingMovesPrefixesAlong) {
  const PackedSequences twice = PackedSequences{{0, 3, 5}, {-1, 0}}.repeated(2);
  EXPECT_EQ(twice.cu_seqlens, (std::vector<int64_t>{0, 3, 5, 8, 10}));
  EXPECT_EQ(twice.prefix, (std::vector<int64_t>{-1, 0, -1, 2}));
  EXPECT_EQ(twice.prefix_length(3), 3);
}

}  // namespace
}  // namespace air
