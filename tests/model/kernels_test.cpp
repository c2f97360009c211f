// Every operation of a backend against ATen's.
#include "model/kernels/kernels.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/roll.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/kernels/micro_kernel.h"
#include "model/kernels/row_kernels.h"
#include "model/kernels/weight_panels.h"
#include "model/linear.h"

namespace air {
namespace {

constexpr double kTolerance = 2e-5;

/// The backend that is compared with ATen's.
const Kernels& tested() { return cpu_float_kernels(); }

/// The dtypes of cpu_half_kernels, and what rounding to them changes at most, relatively.
struct Half {
  at::ScalarType type;
  double rounding;
};
constexpr Half kHalves[] = {{at::kBFloat16, 0x1p-8}, {at::kHalf, 0x1p-11}};

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

void expect_near(const std::vector<double>& a, const std::vector<double>& b,
                 double tolerance = kTolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << i;
}

/// The result in a half dtype is the exact one, rounded once.
void expect_rounded(const at::Tensor& result, const at::Tensor& exact, const Half& half) {
  ASSERT_EQ(result.sizes(), exact.sizes());
  ASSERT_EQ(result.scalar_type(), half.type);
  const at::Tensor allowed = exact.abs() * half.rounding + 1e-6;
  EXPECT_LE(((result.to(at::kFloat) - exact).abs() - allowed).max().item<double>(), 0) << half.type;
}

TEST(KernelsTest, FloatOnTheCpuHasItsOwnAndTheRestIsAten) {
  EXPECT_EQ(&kernels_of(at::tensor({1.0F})), &cpu_float_kernels());
  EXPECT_EQ(&kernels_of(at::tensor({1.0})), &aten_kernels());
  EXPECT_EQ(&kernels_of(at::tensor({1.0F}).to(at::kBFloat16)), &cpu_half_kernels());
  EXPECT_EQ(&kernels_of(at::tensor({1.0F}).to(at::kHalf)), &cpu_half_kernels());
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

TEST(KernelsTest, AddLinearAddsTheMap) {
  Random random;
  const at::Tensor weight = random({17, 20}), bias = random({17}), all = random({50, 17});
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const at::Tensor x = random({33, 20}).to(dtype);
    for (const at::Tensor& some : {at::Tensor(), bias.to(dtype)}) {
      const Linear linear{weight.to(dtype), some};
      const at::Tensor whole = all.to(dtype, /*non_blocking=*/false, /*copy=*/true);
      at::Tensor sums = whole.narrow(0, 7, 33);
      add_linear(sums, linear, x);
      expect_near(sums, all.to(dtype).narrow(0, 7, 33) + apply_linear(linear, x));
      EXPECT_TRUE(whole.narrow(0, 0, 7).equal(all.to(dtype).narrow(0, 0, 7)));
      EXPECT_TRUE(whole.narrow(0, 40, 10).equal(all.to(dtype).narrow(0, 40, 10)));
    }
  }
}

TEST(KernelsTest, AddLinearTakesWiderSums) {
  Random random;
  const at::Tensor x = random({9, 20}).to(at::kBFloat16);
  const Linear linear{random({17, 20}).to(at::kBFloat16), {}};
  at::Tensor sums = random({9, 17});
  const at::Tensor expected = sums + apply_linear(linear, x);
  add_linear(sums, linear, x);
  EXPECT_TRUE(sums.equal(expected));
}

// Rows that are no multiple of a step, and sums that are made in several.
TEST(KernelsTest, PanelsEqualAten) {
  Random random;
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{64, 20}, {192, 67}, {128, 2100}}) {
    const at::Tensor weight = random({out, in}) / std::sqrt(static_cast<double>(in)),
                     bias = random({out});
    if (!suits_panels(weight, at::kFloat)) GTEST_SKIP() << "no AVX-512";
    const at::Tensor laid_out = weight_in_panels(weight, at::kFloat);
    EXPECT_TRUE(in_panels(laid_out));
    for (const int64_t rows : {1, 95, 256}) {
      const at::Tensor x = random({rows, in});
      expect_near(tested().linear(x, laid_out, bias), aten_kernels().linear(x, weight, bias));
      expect_near(tested().linear(x, laid_out, {}), aten_kernels().linear(x, weight, {}));
    }
  }
}

TEST(KernelsTest, PanelsAreOfSomeSizesAndDtypes) {
  Random random;
  EXPECT_EQ(suits_panels(random({64, 21}), at::kFloat), has_micro_kernel(at::kFloat));
  EXPECT_EQ(suits_panels(random({64, 20}), at::kBFloat16), has_micro_kernel(at::kBFloat16));
  EXPECT_FALSE(suits_panels(random({65, 20}), at::kFloat));
  EXPECT_FALSE(suits_panels(random({64, 21}), at::kBFloat16));
  EXPECT_FALSE(suits_panels(random({64, 20}), at::kDouble));
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

// What is computed inside is float32: a result is the exact one, rounded once.
TEST(KernelsTest, HalvesAreRoundedOnce) {
  Random random;
  for (const Half& half : kHalves) {
    const Kernels& own = cpu_half_kernels();
    const auto draw = [&](at::IntArrayRef shape) { return random(shape).to(half.type); };
    for (const int64_t width : {3, 64, 67}) {
      const at::Tensor x = draw({5, width}), weight = draw({width});
      const at::Tensor exact =
          aten_kernels().rms_norm(x.to(at::kFloat), weight.to(at::kFloat), 1e-5);
      expect_rounded(own.rms_norm(x, weight, 1e-5), exact, half);
      expect_rounded(own.rms_norm(x, weight.to(at::kFloat), 1e-5), exact, half);
    }
    for (const bool interleaved : {false, true}) {
      const at::Tensor angles = random({7, 1, 19});
      const RopeTable table{angles.cos(), angles.sin(), interleaved};
      at::Tensor x = draw({7, 2, 43}), exact = x.to(at::kFloat);
      own.rope(x, table);
      aten_kernels().rope(exact, table);
      expect_rounded(x, exact, half);
    }
    for (const Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
      at::Tensor gate = draw({3, 1037}), up = draw({3, 1037});
      at::Tensor exact = gate.to(at::kFloat), exact_up = up.to(at::kFloat);
      own.gate(gate, up, {activation});
      aten_kernels().gate(exact, exact_up, {activation});
      expect_rounded(gate, exact, half);
    }
  }
}

TEST(KernelsTest, HalfProductsSumInFloat) {
  Random random;
  for (const Half& half : kHalves) {
    // The second has an odd number of columns and more rows than are widened at a time. The later
    // ones are laid out in panels where the processor multiplies them.
    for (const auto& [out, in] :
         {std::pair<int64_t, int64_t>{17, 20}, {700, 33}, {64, 20}, {640, 66}, {128, 2100}}) {
      const double scale = 1 / std::sqrt(static_cast<double>(in));
      const at::Tensor x = random({97, in}).to(half.type),
                       weight = (random({out, in}) * scale).to(half.type),
                       bias = random({out}).to(half.type);
      const at::Tensor laid_out =
          suits_panels(weight, half.type) ? weight_in_panels(weight, half.type) : weight;
      const at::Tensor product = aten_kernels().linear(x.to(at::kFloat), weight.to(at::kFloat), {});
      expect_rounded(cpu_half_kernels().linear(x, laid_out, {}), product, half);
      // Without panels the bias may be added after the product was rounded.
      const at::Tensor sum = cpu_half_kernels().linear(x, laid_out, bias).to(at::kFloat);
      const at::Tensor exact = product + bias.to(at::kFloat);
      if (in_panels(laid_out)) expect_rounded(sum.to(half.type), exact, half);
      const at::Tensor allowed = (product.abs() + exact.abs()) * half.rounding + 1e-6;
      EXPECT_LE(((sum - exact).abs() - allowed).max().item<double>(), 0) << half.type;
    }
  }
}

// Shares are rounded before they meet the values: an error below the rounding of the largest value.
TEST(KernelsTest, HalfAttentionIsNearTheExactOne) {
  Random random;
  const PackedSequences sequences = {{0, 91, 160, 230, 301}, {-1, 0, -1, 2}};
  for (const Half& half : kHalves) {
    for (const auto& [size, value_size] : {std::pair<int64_t, int64_t>{8, 12}, {9, 8}}) {
      const at::Tensor q = random({301, 4, size}).to(half.type),
                       k = random({301, 2, size}).to(half.type),
                       v = random({301, 2, value_size}).to(half.type);
      for (const AttentionSpec& spec :
           {AttentionSpec{.scale = 0.3}, AttentionSpec{.scale = 0.3, .window = 40},
            AttentionSpec{.scale = 0.3, .softcap = 2.0},
            AttentionSpec{.scale = 0.3, .window = 7, .sinks = random({4}).to(half.type)}}) {
        const at::Tensor exact = aten_kernels().attention(q.to(at::kFloat), k.to(at::kFloat),
                                                          v.to(at::kFloat), sequences, spec);
        const at::Tensor result = cpu_half_kernels().attention(q, k, v, sequences, spec);
        ASSERT_EQ(result.scalar_type(), half.type);
        EXPECT_LT((result.to(at::kFloat) - exact).abs().max().item<double>(),
                  half.rounding * v.abs().max().item<double>())
            << half.type;
      }
    }
  }
}

// Logits are never rounded: losses are those of the rounded states and weights.
TEST(KernelsTest, HalfLossesAreOfFloatLogits) {
  Random random;
  const at::Tensor targets = at::randint(700, {301}, at::TensorOptions().dtype(at::kLong));
  for (const Half& half : kHalves) {
    for (const int64_t width : {16, 17}) {
      const at::Tensor hidden = random({301, width}).to(half.type),
                       lm_head = (random({700, width}) * 0.3).to(half.type);
      for (const LogitOptions& options :
           {LogitOptions{}, LogitOptions{random({700}).to(half.type), 3.0}}) {
        const TokenNll own = cpu_half_kernels().token_nll(hidden, lm_head, targets, options),
                       exact = aten_kernels().token_nll(hidden.to(at::kFloat),
                                                        lm_head.to(at::kFloat), targets, options);
        expect_near(own.nll, exact.nll);
        expect_near(own.entropy, exact.entropy);
        EXPECT_EQ(own.top1, exact.top1);
      }
    }
  }
}

// Every bit pattern there is, and what lies between two of them.
TEST(KernelsTest, NarrowingRoundsToTheNearest) {
  for (const Half& half : kHalves) {
    at::Tensor all = at::arange(1 << 16, at::TensorOptions().dtype(at::kInt)).to(at::kShort);
    all = all.view(half.type);
    const at::Tensor wide = all.to(at::kFloat);
    at::Tensor widened = at::empty_like(wide);
    widen(half.type, all.const_data_ptr(), all.numel(), widened.data_ptr<float>());
    EXPECT_TRUE(at::equal(widened.nan_to_num(7.0), wide.nan_to_num(7.0))) << half.type;
    const at::Tensor next = wide.roll(-1);
    for (const double step : {0.0, 0.25, 0.5, 0.75}) {
      const at::Tensor between = (wide + (next - wide) * step).contiguous();
      at::Tensor narrowed = at::empty_like(all);
      narrow(half.type, between.const_data_ptr<float>(), all.numel(), narrowed.data_ptr());
      const at::Tensor expected = between.to(half.type);
      EXPECT_TRUE(at::equal(narrowed.to(at::kFloat).nan_to_num(7.0),
                            expected.to(at::kFloat).nan_to_num(7.0)))
          << half.type << ' ' << step;
    }
  }
}

}  // namespace
}  // namespace air
