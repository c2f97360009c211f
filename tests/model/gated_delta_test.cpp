// The recurrence against a second definition of it: float64, token by token, as the paper writes
// it.
#include "model/gated_delta.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "support/packed_texts.h"

namespace air {
namespace {

constexpr GatedDeltaConfig kSizes{.num_key_heads = 3,
                                  .num_value_heads = 6,
                                  .key_head_dim = 8,
                                  .value_head_dim = 10,
                                  .conv_width = 4,
                                  .norm_eps = 1e-6};
struct Case {
  GatedDelta weights;
  DeltaInputs inputs;
  at::Generator generator;

  explicit Case(const PackedSequences& sequences, uint64_t seed = 1)
      : inputs(kSizes, sequences.num_tokens(), at::TensorOptions().dtype(at::kFloat)),
        generator(at::detail::createCPUGenerator(seed)) {
    const int64_t rows = sequences.num_tokens(), r = kSizes.group_size();
    weights.conv = at::randn({kSizes.num_key_heads, kSizes.conv_width, kSizes.head_channels()},
                             generator, inputs.rates.options());
    inputs.qkv.narrow(1, 0, rows)
        .copy_(
            at::randn({kSizes.num_key_heads, rows, kSizes.head_channels()}, generator, options()));
    const auto uniform = [&] { return at::rand({kSizes.num_key_heads, rows, r}, generator); };
    inputs.rates.narrow(1, 0, rows).narrow(2, 0, r).copy_(uniform().log_().mul_(0.3));
    inputs.rates.narrow(1, 0, rows).narrow(2, r, r).copy_(uniform());
  }
  static at::TensorOptions options() { return at::TensorOptions().dtype(at::kFloat); }

  at::Tensor scan(const PackedSequences& sequences, const ScanShape& shape) const {
    const ScanPlan plan = make_scan_plan(sequences, kSizes.conv_width, at::kCPU, shape);
    return gated_delta_scan(weights, inputs, plan, kSizes, Activation::kSilu)
        .narrow(1, 0, sequences.num_tokens());
  }

  /// Of one value head, for the packed rows of one text in order. @return [rows, Dv] float64
  at::Tensor token_by_token(const std::vector<int64_t>& rows, int64_t value_head) const {
    const int64_t r = kSizes.group_size(), dk = kSizes.key_head_dim, dv = kSizes.value_head_dim;
    const int64_t head = value_head / r, of_group = value_head % r;
    const at::Tensor conv = weights.conv[head].to(at::kDouble);
    const at::Tensor x = inputs.qkv[head].to(at::kDouble), rates = inputs.rates[head];
    at::Tensor state = at::zeros({dk, dv}, conv.options());
    at::Tensor out = at::zeros({static_cast<int64_t>(rows.size()), dv}, conv.options());
    for (size_t i = 0; i < rows.size(); ++i) {
      at::Tensor sum = at::zeros({kSizes.head_channels()}, conv.options());
      for (size_t back = 0; back < std::min<size_t>(i + 1, kSizes.conv_width); ++back)
        sum += conv[kSizes.conv_width - 1 - static_cast<int64_t>(back)] * x[rows[i - back]];
      const at::Tensor channels = at::silu(sum);
      const auto unit = [&](const at::Tensor& v) { return v / (v.square().sum() + 1e-6).sqrt(); };
      const at::Tensor q = unit(channels.narrow(0, 0, dk)) / std::sqrt(static_cast<double>(dk));
      const at::Tensor k = unit(channels.narrow(0, dk, dk));
      const at::Tensor v = channels.narrow(0, 2 * dk + of_group * dv, dv);
      const double decay = std::exp(rates[rows[i]][of_group].item<double>()),
                   beta = rates[rows[i]][r + of_group].item<double>();
      state *= decay;
      state += at::outer(k, (v - k.matmul(state)) * beta);
      out[static_cast<int64_t>(i)] = q.matmul(state);
    }
    return out;
  }
};

void expect_equal(const Case& one, const PackedSequences& sequences,
                  const std::vector<ScanShape>& shapes, double tolerance) {
  std::vector<at::Tensor> found;
  for (const ScanShape& shape : shapes) found.push_back(one.scan(sequences, shape));
  const int64_t r = kSizes.group_size(), dv = kSizes.value_head_dim;
  for (int64_t sequence = 0; sequence < sequences.size(); ++sequence)
    for (int64_t head = 0; head < kSizes.num_value_heads; ++head) {
      const int64_t length = sequences.length(sequence), before = sequences.prefix_length(sequence);
      const at::Tensor expected = one.token_by_token(test::rows_of_text(sequences, sequence), head)
                                      .narrow(0, before, length);
      for (size_t i = 0; i < shapes.size(); ++i) {
        const at::Tensor of_head = found[i][head / r]
                                       .narrow(0, sequences.begin(sequence), length)
                                       .narrow(1, head % r * dv, dv);
        EXPECT_LT((of_head - expected).abs().max().item<double>(), tolerance)
            << "shape " << i << " sequence " << sequence << " head " << head;
      }
    }
}

const std::vector<ScanShape> kCpuShape = {ScanShape::for_device(at::kCPU)};

// The last three: groups of many sequences and heads, as on an accelerator; segments that end
// inside a sequence; one chunk at a time.
TEST(GatedDeltaTest, ChunksEqualTheRecurrenceWhateverTheShapeOfTheWork) {
  expect_equal(Case(test::packed_texts()), test::packed_texts(),
               {kCpuShape[0], ScanShape::for_device(at::kCUDA), {100, 3, 2, 4}, {1, 1, 1, 1}},
               1e-5);
}

// One key again and again, written with full strength and never decayed: the system of a chunk is
// as far from the identity as it can be.
TEST(GatedDeltaTest, RepeatedTokensStayExact) {
  const PackedSequences sequences = {{0, 200}, {}};
  Case one(sequences);
  const int64_t r = kSizes.group_size();
  const at::Tensor tokens = one.inputs.qkv.narrow(1, 0, 200);
  tokens.copy_(tokens.narrow(1, 0, 1).expand_as(tokens).clone());
  one.inputs.rates.narrow(2, 0, r).zero_();
  one.inputs.rates.narrow(1, 0, 200).narrow(2, r, r).fill_(1.0);
  expect_equal(one, sequences, kCpuShape, 1e-5);
}

// Decays so strong that a chunk's product is far below the smallest float. Their sums, thousands,
// have lost some digits of a weak decay among them.
TEST(GatedDeltaTest, StrongDecaysStayFinite) {
  const PackedSequences sequences = {{0, 150}, {}};
  Case one(sequences);
  one.inputs.rates.narrow(2, 0, kSizes.group_size()).mul_(100.0);
  expect_equal(one, sequences, kCpuShape, 1e-4);
}

}  // namespace
}  // namespace air
