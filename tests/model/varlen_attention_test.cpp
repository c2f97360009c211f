// What the kernels of accelerators are given, held against ATen's attention with a stand-in that
// computes the definition on the CPU.
#include "model/kernels/varlen_attention.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/kernels/aten_attention.h"
#include "support/varlen_by_definition.h"

namespace air {
namespace {

using test::numbers;

class VarlenAttentionTest : public testing::Test {
 protected:
  at::Tensor random(at::IntArrayRef shape) {
    return at::randn(shape, generator_, at::TensorOptions().dtype(at::kDouble));
  }
  void expect_equal_to_aten(const PackedSequences& sequences, const AttentionSpec& spec) {
    const int64_t rows = sequences.num_tokens();
    const at::Tensor q = random({rows, 4, 8}), k = random({rows, 2, 8}), v = random({rows, 2, 12});
    const at::Tensor found = varlen_attention(q, k, v, sequences, spec, test::varlen_by_definition);
    const at::Tensor expected = aten_attention(q, k, v, sequences, spec);
    ASSERT_EQ(found.sizes(), expected.sizes());
    EXPECT_LT((found - expected).abs().max().item<double>(), 1e-5);
  }

 private:
  at::Generator generator_ = at::detail::createCPUGenerator(7);
};

TEST_F(VarlenAttentionTest, EqualsAten) {
  const at::Tensor sinks = random({4});
  for (const PackedSequences& sequences :
       {PackedSequences{{0, 50}, {}}, PackedSequences{{0, 1, 30, 90}, {}},
        PackedSequences{{0, 40, 60, 61, 100}, {-1, 0, 0, -1}},
        PackedSequences{{0, 20, 40, 70}, {-1, 0, -1}}.repeated(2)})
    for (const AttentionSpec& spec :
         {AttentionSpec{.scale = 0.3}, AttentionSpec{.scale = 0.3, .window = 9},
          AttentionSpec{.scale = 0.3, .window = 1000}, AttentionSpec{.scale = 0.3, .sinks = sinks},
          AttentionSpec{.scale = 0.3, .window = 25, .sinks = sinks}})
      expect_equal_to_aten(sequences, spec);
}

TEST_F(VarlenAttentionTest, TheLayoutIsMadeOnceAndUsed) {
  PackedSequences sequences = {{0, 30, 50}, {-1, 0}};
  sequences.keys = make_key_layout(sequences, at::kCPU);
  EXPECT_EQ(numbers(sequences.keys->cu_queries), (std::vector<int64_t>{0, 30, 50}));
  EXPECT_EQ(numbers(sequences.keys->cu_keys), (std::vector<int64_t>{0, 30, 80}));
  EXPECT_EQ(sequences.keys->key_rows.size(0), 80);
  EXPECT_EQ(sequences.keys->max_queries, 30);
  EXPECT_EQ(sequences.keys->max_keys, 50);
  EXPECT_EQ(sequences.repeated(2).keys, nullptr);  // of other rows
  expect_equal_to_aten(sequences, {.scale = 0.3});
}

TEST_F(VarlenAttentionTest, WithoutPrefixesKeysAreRows) {
  EXPECT_FALSE(make_key_layout({{0, 3, 9}, {}}, at::kCPU)->key_rows.defined());
}

/// Shapes only.
VarlenResult described(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const VarlenCall& call) {
  EXPECT_TRUE(call.layout.cu_queries.is_meta() && call.layout.cu_keys.is_meta());
  EXPECT_EQ(k.size(0), v.size(0));
  return {at::empty({q.size(0), q.size(1), v.size(2)}, q.options()),
          at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat))};
}

// A tensor of libtorch's meta device has no numbers: what asks for one fails, as it would make a
// GPU wait.
TEST_F(VarlenAttentionTest, NothingIsReadBackFromTheDevice) {
  const auto on_device = at::TensorOptions().device(at::kMeta).dtype(at::kBFloat16);
  PackedSequences sequences = {{0, 40, 60, 61, 100}, {-1, 0, 0, -1}};
  sequences.keys = make_key_layout(sequences, at::kMeta);
  EXPECT_EQ(sequences.keys->key_rows.size(0), 180);
  const at::Tensor q = at::empty({100, 4, 8}, on_device), k = at::empty({100, 2, 8}, on_device),
                   v = at::empty({100, 2, 12}, on_device), sinks = at::empty({4}, on_device);
  for (const AttentionSpec& spec :
       {AttentionSpec{.scale = 0.3}, AttentionSpec{.scale = 0.3, .window = 9, .sinks = sinks}}) {
    const at::Tensor out = varlen_attention(q, k, v, sequences, spec, described);
    EXPECT_EQ(out.sizes(), at::IntArrayRef({100, 4, 12}));
    EXPECT_EQ(out.scalar_type(), at::kBFloat16);
  }
}

}  // namespace
}  // namespace air
