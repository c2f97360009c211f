// The recurrence against a second definition of it: float64, token by token, as the paper writes
// it.
#include "model/mamba2.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/packed_texts.h"

namespace air {
namespace {

// Two groups of 12 heads: two units of 6 heads each.
constexpr Mamba2Config kSizes{.num_heads = 24,
                              .head_dim = 5,
                              .num_groups = 2,
                              .state_size = 8,
                              .conv_width = 4,
                              .conv_bias = true};

struct Case {
  Mamba2 weights;
  Mamba2Inputs inputs;

  explicit Case(const PackedSequences& sequences)
      : inputs(kSizes, sequences.num_tokens(), at::TensorOptions().dtype(at::kFloat)) {
    const at::Generator generator = at::detail::createCPUGenerator(1);
    const int64_t rows = sequences.num_tokens(), units = kSizes.num_units(),
                  u = kSizes.unit_heads(), channels = kSizes.unit_channels(),
                  width = kSizes.conv_width, of_group = 2 * kSizes.state_size;
    const auto random = [&](at::IntArrayRef shape) {
      return at::randn(shape, generator, inputs.rates.options());
    };
    weights.head_conv = random({units, width, channels});
    weights.head_bias = random({units, channels});
    weights.group_conv = random({kSizes.num_groups, width, of_group}).mul_(0.5);
    weights.group_bias = random({kSizes.num_groups, of_group});
    weights.skip = random({kSizes.num_heads});
    inputs.heads.narrow(1, 0, rows).copy_(random({units, rows, channels}));
    inputs.groups.narrow(1, 0, rows).copy_(random({kSizes.num_groups, rows, of_group}));
    const auto uniform = [&] { return at::rand({units, rows, u}, generator); };
    inputs.rates.narrow(1, 0, rows).narrow(2, 0, u).copy_(uniform().log_().mul_(0.3));
    inputs.rates.narrow(1, 0, rows).narrow(2, u, u).copy_(uniform());
  }

  at::Tensor scan(const PackedSequences& sequences, const ScanShape& shape) const {
    const ScanPlan plan = make_scan_plan(sequences, kSizes.conv_width, at::kCPU, shape);
    return mamba2_scan(weights, inputs, plan, kSizes).narrow(1, 0, sequences.num_tokens());
  }

  /// Of one head, for the packed rows of one text in order. @return [rows, P] float64
  at::Tensor token_by_token(const std::vector<int64_t>& rows, int64_t head) const {
    const int64_t u = kSizes.unit_heads(), size = kSizes.state_size, dim = kSizes.head_dim;
    const int64_t unit = head / u, in_unit = head % u,
                  group = head / (kSizes.num_heads / kSizes.num_groups);
    const auto convolved = [&](const at::Tensor& x, const at::Tensor& weight,
                               const at::Tensor& bias, size_t i) {
      at::Tensor sum = bias.to(at::kDouble);
      for (size_t back = 0; back < std::min<size_t>(i + 1, kSizes.conv_width); ++back)
        sum = sum + weight[kSizes.conv_width - 1 - static_cast<int64_t>(back)].to(at::kDouble) *
                        x[rows[i - back]].to(at::kDouble);
      return at::silu(sum);
    };
    const double skip = weights.skip[head].item<double>();
    at::Tensor state = at::zeros({size, dim}, at::TensorOptions().dtype(at::kDouble));
    at::Tensor out = at::zeros({static_cast<int64_t>(rows.size()), dim}, state.options());
    for (size_t i = 0; i < rows.size(); ++i) {
      const at::Tensor x =
          convolved(inputs.heads[unit], weights.head_conv[unit], weights.head_bias[unit], i)
              .narrow(0, in_unit * dim, dim);
      const at::Tensor both =
          convolved(inputs.groups[group], weights.group_conv[group], weights.group_bias[group], i);
      const at::Tensor rates = inputs.rates[unit][rows[i]];
      state *= std::exp(rates[in_unit].item<double>());
      state += at::outer(both.narrow(0, 0, size), x) * rates[u + in_unit].item<double>();
      out[static_cast<int64_t>(i)] = both.narrow(0, size, size).matmul(state) + x * skip;
    }
    return out;
  }
};

/// @param tolerance in parts of the largest number that a head reads in the text
void expect_equal(const Case& one, const PackedSequences& sequences,
                  const std::vector<ScanShape>& shapes, double tolerance) {
  std::vector<at::Tensor> found;
  for (const ScanShape& shape : shapes) found.push_back(one.scan(sequences, shape));
  const int64_t u = kSizes.unit_heads(), dim = kSizes.head_dim;
  for (int64_t sequence = 0; sequence < sequences.size(); ++sequence)
    for (int64_t head = 0; head < kSizes.num_heads; head += 5) {
      const int64_t length = sequences.length(sequence), before = sequences.prefix_length(sequence);
      const at::Tensor whole = one.token_by_token(test::rows_of_text(sequences, sequence), head);
      const at::Tensor expected = whole.narrow(0, before, length);
      // Nothing bounds what a state holds: roundings are as large as what the text reads out of it.
      const double largest = whole.abs().max().item<double>();
      for (size_t i = 0; i < shapes.size(); ++i) {
        const at::Tensor of_head = found[i][head / u]
                                       .narrow(0, sequences.begin(sequence), length)
                                       .narrow(1, head % u * dim, dim);
        EXPECT_LT((of_head - expected).abs().max().item<double>(), tolerance * largest)
            << "shape " << i << " sequence " << sequence << " head " << head;
      }
    }
}

// As many units as threads like; groups of many sequences, with units of both groups in one piece,
// as on an accelerator; segments that end inside a sequence; one chunk at a time.
TEST(Mamba2Test, ChunksEqualTheRecurrenceWhateverTheShapeOfTheWork) {
  ASSERT_EQ(kSizes.num_units(), 4);
  expect_equal(Case(test::packed_texts()), test::packed_texts(),
               {ScanShape::for_device(at::kCPU),
                ScanShape::for_device(at::kCUDA),
                {100, 3, 3, 4},
                {1, 1, 1, 1}},
               1e-5);
}

// Decays so strong that a chunk's product is far below the smallest float. Their sums, thousands,
// have lost some digits of a weak decay among them.
TEST(Mamba2Test, StrongDecaysStayFinite) {
  const PackedSequences sequences = {{0, 150}, {}};
  Case one(sequences);
  one.inputs.rates.narrow(2, 0, kSizes.unit_heads()).mul_(100.0);
  expect_equal(one, sequences, {ScanShape::for_device(at::kCPU)}, 1e-4);
}

}  // namespace
}  // namespace air
