// Every operation of a backend against ATen's.
#include "model/kernels/kernels.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace air {
namespace {

constexpr double kTolerance = 2e-5;

/// The backend that is compared with ATen's.
const Kernels& tested() { return cpu_float_kernels(); }

class Random {
 public:
  at::Tensor operator()(at::IntArrayRef shape) {
    return at::randn(shape, generator_, at::TensorOptions().dtype(at::kFloat));
  }

 private:
  at::Generator generator_ = at::detail::createCPUGenerator(3);
};

void expect_near(const at::Tensor& a, const at::Tensor& b) {
  ASSERT_EQ(a.sizes(), b.sizes());
  EXPECT_LT((a - b).abs().max().item<double>(), kTolerance);
}

void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], kTolerance) << i;
}

TEST(KernelsTest, FloatOnTheCpuHasItsOwnAndTheRestIsAten) {
  EXPECT_EQ(&kernels_of(at::tensor({1.0F})), &cpu_float_kernels());
  EXPECT_EQ(&kernels_of(at::tensor({1.0})), &aten_kernels());
  EXPECT_EQ(&kernels_of(at::tensor({1.0F}).to(at::kBFloat16)), &aten_kernels());
  EXPECT_NE(tested().rms_norm, aten_kernels().rms_norm);
}

// Widths that are not a multiple of a processor's vectors, and one below all of them.
TEST(KernelsTest, RmsNormEqualsAten) {
  Random random;
  for (const int64_t width : {3, 64, 67}) {
    const at::Tensor x = random({5, width}), weight = random({width});
    expect_near(tested().rms_norm(x, weight, 1e-5), aten_kernels().rms_norm(x, weight, 1e-5));
    const at::Tensor strided = random({width, 5}).t();
    expect_near(tested().rms_norm(strided, weight, 1e-5),
                aten_kernels().rms_norm(strided, weight, 1e-5));
  }
}

TEST(KernelsTest, RopeEqualsAten) {
  Random random;
  for (const bool interleaved : {false, true}) {
    for (const int64_t half : {3, 16, 19}) {
      const at::Tensor angles = random({7, 1, half});
      const RopeTable table{angles.cos(), angles.sin(), interleaved};
      at::Tensor x = random({7, 2, 2 * half + 5});  // the last 5 are not rotated
      at::Tensor expected = x.clone();
      tested().rope(x, table);
      aten_kernels().rope(expected, table);
      expect_near(x, expected);
    }
  }
}

TEST(KernelsTest, GatesEqualAten) {
  Random random;
  for (const Activation activation :
       {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kClampedSwiglu}) {
    const GateSpec spec{activation, 1.7, 2.0};
    at::Tensor gate = random({3, 37}), up = random({3, 37});
    at::Tensor expected = gate.clone(), expected_up = up.clone();
    tested().gate(gate, up, spec);
    aten_kernels().gate(expected, expected_up, spec);
    expect_near(gate, expected);
  }
}

TEST(KernelsTest, LinearEqualsAten) {
  Random random;
  const at::Tensor x = random({33, 20}), weight = random({17, 20}), bias = random({17});
  expect_near(tested().linear(x, weight, bias), aten_kernels().linear(x, weight, bias));
  expect_near(tested().linear(x, weight, {}), aten_kernels().linear(x, weight, {}));
  const at::Tensor columns = random({20, 17}).t();
  expect_near(tested().linear(x, columns, bias), aten_kernels().linear(x, columns, bias));
  const at::Tensor neither = random({17, 40}).slice(1, 0, 40, 2);
  expect_near(tested().linear(x, neither, bias), aten_kernels().linear(x, neither, bias));
}

TEST(KernelsTest, AttentionEqualsAten) {
  Random random;
  const PackedSequences sequences = {{0, 90, 160, 230, 301}, {-1, 0, -1, 2}};
  const at::Tensor q = random({301, 4, 8}), k = random({301, 2, 8});
  for (const int64_t value_dim : {8, 12}) {
    const at::Tensor v = random({301, 2, value_dim});
    for (const AttentionSpec& spec :
         {AttentionSpec{.scale = 0.3}, AttentionSpec{.scale = 0.3, .window = 40},
          AttentionSpec{.scale = 0.3, .softcap = 2.0},
          AttentionSpec{.scale = 0.3, .window = 7, .sinks = random({4})}})
      expect_near(tested().attention(q, k, v, sequences, spec),
                  aten_kernels().attention(q, k, v, sequences, spec));
  }
}

TEST(KernelsTest, TokenLossesEqualAten) {
  Random random;
  // More tokens than a tile has, and a number that is not a multiple of it.
  const at::Tensor hidden = random({301, 16}), lm_head = random({700, 16}) * 0.3;
  const at::Tensor targets = at::randint(700, {301}, at::TensorOptions().dtype(at::kLong));
  for (const LogitOptions& options : {LogitOptions{}, LogitOptions{random({700}), 3.0}}) {
    const TokenNll own = tested().token_nll(hidden, lm_head, targets, options),
                   aten = aten_kernels().token_nll(hidden, lm_head, targets, options);
    expect_near(own.nll, aten.nll);
    expect_near(own.entropy, aten.entropy);
    EXPECT_EQ(own.top1, aten.top1);
  }
}

}  // namespace
}  // namespace air
