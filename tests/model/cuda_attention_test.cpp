// What libtorch's kernels for GPUs are asked for. In their place stands the definition, on the CPU,
// that checks what the kernels demand; without values, on the meta device, shapes alone.
#include "model/kernels/cuda_attention.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "model/kernels/aten_attention.h"
#include "support/varlen_by_definition.h"

namespace air {
namespace {

/// A kernel's inputs and output at its last call.
struct Call {
  const char* kernel = "";
  at::Tensor q, k, v, out;
};
Call last;

/// An operator's arguments, in the order of its schema.
class Arguments {
 public:
  Arguments(const c10::OperatorHandle& op, torch::jit::Stack& stack)
      : schema_(op.schema()), values_(stack.end() - schema_.arguments().size(), stack.end()) {
    stack.erase(stack.end() - schema_.arguments().size(), stack.end());
  }
  const c10::IValue& operator[](const std::string& name) const {
    return values_.at(schema_.argumentIndexWithName(name).value());
  }
  at::Tensor tensor(const char* name) const { return (*this)[name].toTensor(); }
  std::optional<int64_t> number(const char* name) const {
    return (*this)[name].toOptional<int64_t>();
  }
  /// Those of the kernel that the operator puts out beside the output and the sums.
  void put_results(torch::jit::Stack& stack, const at::Tensor& out, const at::Tensor& lse) const {
    stack.emplace_back(out);
    stack.emplace_back(lse);
    for (size_t i = 2; i < schema_.returns().size(); ++i)
      if (schema_.returns()[i].type()->isSubtypeOf(c10::TensorType::get()))
        stack.emplace_back(at::Tensor());
      else
        stack.emplace_back(int64_t{0});
  }

 private:
  const c10::FunctionSchema& schema_;
  std::vector<c10::IValue> values_;
};

VarlenResult computed(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                      const KeyLayout& layout, double scale, std::optional<int64_t> window) {
  EXPECT_EQ(q.stride(-1), 1);
  EXPECT_EQ(k.stride(-1), 1);
  EXPECT_EQ(v.stride(-1), 1);
  EXPECT_EQ(layout.cu_queries.device(), q.device());
  EXPECT_EQ(layout.cu_keys.device(), q.device());
  if (q.is_meta())
    return {at::empty({q.size(0), q.size(1), v.size(2)}, q.options()),
            at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat))};
  return test::varlen_by_definition(q, k, v, {layout, scale, window, true});
}

void flash_stand_in(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Arguments given(op, *stack);
  const at::Tensor q = given.tensor("query"), k = given.tensor("key"), v = given.tensor("value");
  EXPECT_EQ(q.size(2) % 8, 0);
  EXPECT_LE(q.size(2), 256);
  EXPECT_EQ(q.size(2), k.size(2));
  EXPECT_EQ(q.size(2), v.size(2));
  const std::optional<int64_t> left = given.number("window_size_left"),
                               right = given.number("window_size_right");
  EXPECT_EQ(given["is_causal"].toBool(), !left);
  EXPECT_EQ(right, left ? std::optional<int64_t>(0) : std::nullopt);
  KeyLayout layout{given.tensor("cum_seq_q"), given.tensor("cum_seq_k"), {}};
  layout.max_queries = given["max_q"].toInt();
  layout.max_keys = given["max_k"].toInt();
  const auto [out, lse] = computed(q, k, v, layout, given["scale"].toDouble(),
                                   left ? std::optional<int64_t>(*left + 1) : std::nullopt);
  last = {"flash", q, k, v, out};
  given.put_results(*stack, out, lse);
}

/// [H, N] → [B, H, the longest sequence in steps of 32], as that kernel keeps the sums.
at::Tensor by_sequence(const at::Tensor& lse, const KeyLayout& layout) {
  const int64_t width = (layout.max_queries + 31) / 32 * 32;
  const int64_t sequences = layout.cu_queries.size(0) - 1;
  if (lse.is_meta()) return at::empty({sequences, lse.size(0), width}, lse.options());
  std::vector<at::Tensor> all;
  const std::vector<int64_t> ends = test::numbers(layout.cu_queries);
  for (int64_t i = 0; i < sequences; ++i) {
    const int64_t length = ends[i + 1] - ends[i];
    all.push_back(at::constant_pad_nd(lse.narrow(1, ends[i], length), {0, width - length}, 1e30));
  }
  return at::stack(all);
}

void efficient_stand_in(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const Arguments given(op, *stack);
  const at::Tensor q = given.tensor("query"), k = given.tensor("key"), v = given.tensor("value");
  for (const at::Tensor& x : {q, k, v}) {
    EXPECT_EQ(x.size(0), 1);
    EXPECT_EQ(x.size(2), q.size(2));
    EXPECT_EQ(x.size(3) * x.element_size() % 16, 0);
  }
  EXPECT_EQ(q.size(3), k.size(3));
  constexpr int64_t kCausalFromBottomRight = 2;
  EXPECT_EQ(given["custom_mask_type"].toInt(), kCausalFromBottomRight);
  KeyLayout layout{given.tensor("cu_seqlens_q"), given.tensor("cu_seqlens_k"), {}};
  layout.max_queries = given.number("max_seqlen_q").value();
  layout.max_keys = given.number("max_seqlen_k").value();
  const auto [out, lse] =
      computed(q[0], k[0], v[0], layout, given["scale"].toDouble(), given.number("window_size"));
  last = {"efficient", q, k, v, out};
  const bool asked = given["compute_log_sumexp"].toBool();
  given.put_results(*stack, out.unsqueeze(0),
                    asked ? by_sequence(lse, layout) : at::empty({0}, lse.options()));
}

using torch::CppFunction;

TORCH_LIBRARY_IMPL(aten, CPU, library) {
  library.impl("_flash_attention_forward", CppFunction::makeFromBoxedFunction<flash_stand_in>());
  library.impl("_efficient_attention_forward",
               CppFunction::makeFromBoxedFunction<efficient_stand_in>());
}

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("_flash_attention_forward", CppFunction::makeFromBoxedFunction<flash_stand_in>());
  library.impl("_efficient_attention_forward",
               CppFunction::makeFromBoxedFunction<efficient_stand_in>());
}

struct Heads {
  at::Tensor q, k, v;

  AttentionSizes sizes() const { return {q.size(1), k.size(1), q.size(2), v.size(2)}; }
};

Heads random_heads(int64_t rows, const AttentionSizes& sizes, const at::TensorOptions& options) {
  const auto make = [&](int64_t heads, int64_t width) {
    if (options.device().is_meta()) return at::empty({rows, heads, width}, options);
    return at::randn({rows, heads, width}, at::detail::createCPUGenerator(heads * width), options);
  };
  return {make(sizes.num_heads, sizes.head_dim), make(sizes.num_key_value_heads, sizes.head_dim),
          make(sizes.num_key_value_heads, sizes.v_head_dim)};
}

TEST(CudaAttentionTest, EachKernelEqualsAten) {
  const at::TensorOptions doubles = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor sinks = at::randn({4}, at::detail::createCPUGenerator(3), doubles);
  for (const AttentionSizes& sizes :
       {AttentionSizes{4, 2, 8, 8}, AttentionSizes{4, 4, 13, 10}, AttentionSizes{4, 1, 16, 24}})
    for (const PackedSequences& sequences :
         {PackedSequences{{0, 50}, {}}, PackedSequences{{0, 40, 60, 61, 100}, {-1, 0, 0, -1}}})
      for (const AttentionSpec& spec :
           {AttentionSpec{.scale = 0.3}, AttentionSpec{.scale = 0.3, .window = 9},
            AttentionSpec{.scale = 0.3, .window = 1000},
            AttentionSpec{.scale = 0.3, .window = 25, .sinks = sinks}}) {
        const auto [q, k, v] = random_heads(sequences.num_tokens(), sizes, doubles);
        const at::Tensor expected = aten_attention(q, k, v, sequences, spec);
        for (const CudaAttention kernel : {CudaAttention::kFlash, CudaAttention::kEfficient}) {
          const at::Tensor found = cuda_attention_by(kernel, q, k, v, sequences, spec);
          ASSERT_EQ(found.sizes(), expected.sizes());
          EXPECT_LT((found - expected).abs().max().item<double>(), 1e-5);
        }
      }
}

TEST(CudaAttentionTest, WhatFlashDoesNotTakeIsTheEfficientKernels) {
  const AttentionSizes usual{8, 2, 128, 128}, widest{8, 2, 256, 256}, gemma4{8, 1, 512, 512},
      wide_values{8, 2, 128, 264};
  for (const AttentionSizes& sizes : {usual, widest}) {
    EXPECT_EQ(choose_cuda_attention(sizes, 0, at::kBFloat16, 80), CudaAttention::kFlash);
    EXPECT_EQ(choose_cuda_attention(sizes, 0, at::kHalf, 90), CudaAttention::kFlash);
    EXPECT_EQ(choose_cuda_attention(sizes, 0, at::kHalf, 75), CudaAttention::kEfficient);
    EXPECT_EQ(choose_cuda_attention(sizes, 0, at::kFloat, 90), CudaAttention::kEfficient);
    EXPECT_EQ(choose_cuda_attention(sizes, 50.0, at::kBFloat16, 90), CudaAttention::kScores);
  }
  for (const AttentionSizes& sizes : {gemma4, wide_values})
    for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat})
      EXPECT_EQ(choose_cuda_attention(sizes, 0, dtype, 90), CudaAttention::kEfficient);
}

/// Numbers of x where it is none of what was given.
int64_t own_numbers(const at::Tensor& x, const Heads& given) {
  const auto same = [&](const at::Tensor& other) { return x.is_alias_of(other); };
  return same(given.q) || same(given.k) || same(given.v) ? 0 : x.numel();
}

TEST(CudaAttentionTest, CopiesAreAsManyAsTheMemoryPlanSays) {
  constexpr int64_t kRows = 40;
  const PackedSequences sequences{{0, 30, kRows}, {}};
  for (const at::ScalarType dtype : {at::kBFloat16, at::kFloat})
    for (const AttentionSizes& sizes :
         {AttentionSizes{4, 2, 16, 16}, AttentionSizes{4, 4, 16, 16}, AttentionSizes{4, 4, 24, 16},
          AttentionSizes{4, 2, 16, 24}, AttentionSizes{4, 4, 13, 10}, AttentionSizes{4, 2, 13, 13},
          AttentionSizes{4, 1, 128, 128}})
      for (const CudaAttention kernel : {CudaAttention::kFlash, CudaAttention::kEfficient}) {
        const Heads given =
            random_heads(kRows, sizes, at::TensorOptions().dtype(dtype).device(at::kMeta));
        const at::Tensor out =
            cuda_attention_by(kernel, given.q, given.k, given.v, sequences, {.scale = 0.3});
        int64_t made = 0;
        for (const at::Tensor& x : {last.q, last.k, last.v}) made += own_numbers(x, given);
        if (!last.out.is_alias_of(out)) made += last.out.numel();
        EXPECT_EQ(kRows * cuda_attention_copies(kernel, sizes, dtype), made)
            << last.kernel << " " << sizes.head_dim << " " << sizes.v_head_dim;
      }
  // Of wider heads the efficient kernel itself holds the output once more in float32.
  const AttentionSizes gemma4{8, 1, 512, 512};
  EXPECT_EQ(cuda_attention_copies(CudaAttention::kEfficient, gemma4, at::kFloat), 2 * 8 * 512);
  EXPECT_EQ(cuda_attention_copies(CudaAttention::kEfficient, gemma4, at::kBFloat16),
            2 * 8 * 512 + 2 * 8 * 512);
}

TEST(CudaAttentionTest, NothingIsReadBackFromTheDevice) {
  const at::TensorOptions options = at::TensorOptions().device(at::kMeta).dtype(at::kBFloat16);
  PackedSequences sequences{{0, 40, 60, 61, 100}, {-1, 0, 0, -1}};
  sequences.keys = make_key_layout(sequences, at::kMeta);
  for (const auto& [sizes, kernel] : {std::pair{AttentionSizes{4, 2, 8, 8}, "flash"},
                                      std::pair{AttentionSizes{4, 2, 260, 260}, "efficient"}})
    for (const AttentionSpec& spec :
         {AttentionSpec{.scale = 0.3},
          AttentionSpec{.scale = 0.3, .window = 9, .sinks = at::empty({4}, options)}}) {
      const auto [q, k, v] = random_heads(100, sizes, options);
      const at::Tensor out = cuda_attention(q, k, v, sequences, spec);
      EXPECT_EQ(out.sizes(), q.sizes());
      EXPECT_STREQ(last.kernel, kernel);
    }
}

}  // namespace
}  // namespace air
