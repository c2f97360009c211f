#include "model/kernels/row_kernels.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/row_kernels.cpp"
// The order matters: foreach_target.h first.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace air {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

void widen_bfloat16(const c10::BFloat16* from, int64_t count, float* to) {
  const Floats d;
  const hn::Rebind<uint32_t, Floats> wide;
  const hn::Rebind<uint16_t, Floats> narrow;
  const int64_t lanes = hn::Lanes(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto bits = hn::LoadU(narrow, reinterpret_cast<const uint16_t*>(from + i));
    hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(wide, bits))), d, to + i);
  }
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

void narrow_bfloat16(const float* from, int64_t count, c10::BFloat16* to) {
  const Floats d;
  const hn::Rebind<uint32_t, Floats> wide;
  const hn::Rebind<uint16_t, Floats> narrow;
  const int64_t lanes = hn::Lanes(d);
  const auto below_half = hn::Set(wide, 0x7FFF), one = hn::Set(wide, 1);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto bits = hn::BitCast(wide, hn::LoadU(d, from + i));
    const auto odd = hn::And(hn::ShiftRight<16>(bits), one);
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(below_half, odd)));
    hn::StoreU(hn::TruncateTo(narrow, rounded), narrow, reinterpret_cast<uint16_t*>(to + i));
  }
  for (; i < count; ++i) to[i] = from[i];
}

void widen_float16(const c10::Half* from, int64_t count, float* to) {
  const Floats d;
  const hn::Rebind<hwy::float16_t, Floats> narrow;
  const int64_t lanes = hn::Lanes(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto* numbers = reinterpret_cast<const hwy::float16_t*>(from + i);
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(narrow, numbers)), d, to + i);
  }
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

void narrow_float16(const float* from, int64_t count, c10::Half* to) {
  const Floats d;
  const hn::Rebind<hwy::float16_t, Floats> narrow;
  const int64_t lanes = hn::Lanes(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto* numbers = reinterpret_cast<hwy::float16_t*>(to + i);
    hn::StoreU(hn::DemoteTo(narrow, hn::LoadU(d, from + i)), narrow, numbers);
  }
  for (; i < count; ++i) to[i] = from[i];
}

void rms_norm_row(const float* x, int64_t width, const float* weight, float eps, float* out) {
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  // Two sums, so that the additions of one need not wait for each other.
  auto even = hn::Zero(d), odd = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= width; i += 2 * lanes) {
    const auto a = hn::LoadU(d, x + i), b = hn::LoadU(d, x + i + lanes);
    even = hn::MulAdd(a, a, even);
    odd = hn::MulAdd(b, b, odd);
  }
  float squares = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; i < width; ++i) squares += x[i] * x[i];
  const float inverse = 1.0F / std::sqrt(squares / static_cast<float>(width) + eps);
  const auto scale = hn::Set(d, inverse);
  for (i = 0; i + lanes <= width; i += lanes)
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + i), scale), hn::LoadU(d, weight + i)), d, out + i);
  for (; i < width; ++i) out[i] = x[i] * inverse * weight[i];
}

void rms_norm(FloatRows x, const float* weight, float eps, float* out) {
  for (int64_t row = 0; row < x.rows; ++row)
    rms_norm_row(x.data + row * x.width, x.width, weight, eps, out + row * x.width);
}

void silu(float* gate, const float* up, int64_t count) {
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  const auto one = hn::Set(d, 1.0F);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto g = hn::LoadU(d, gate + i);
    const auto activated = hn::Div(g, hn::Add(one, hn::Exp(d, hn::Neg(g))));
    hn::StoreU(hn::Mul(activated, hn::LoadU(d, up + i)), d, gate + i);
  }
  for (; i < count; ++i) gate[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

void gelu_tanh(float* gate, const float* up, int64_t count) {
  constexpr float kSqrt2OverPi = 0.7978845608028654F, kCubic = 0.044715F;
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  const auto one = hn::Set(d, 1.0F), half = hn::Set(d, 0.5F);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto g = hn::LoadU(d, gate + i);
    const auto cube = hn::Mul(hn::Mul(g, g), g);
    const auto inner = hn::Mul(hn::Set(d, kSqrt2OverPi), hn::MulAdd(hn::Set(d, kCubic), cube, g));
    const auto activated = hn::Mul(hn::Mul(half, g), hn::Add(one, hn::Tanh(d, inner)));
    hn::StoreU(hn::Mul(activated, hn::LoadU(d, up + i)), d, gate + i);
  }
  for (; i < count; ++i) {
    const float g = gate[i];
    gate[i] = 0.5F * g * (1.0F + std::tanh(kSqrt2OverPi * (g + kCubic * g * g * g))) * up[i];
  }
}

void rotate_head(float* first, int64_t half, const float* cos, const float* sin) {
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  float* second = first + half;
  int64_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    const auto a = hn::LoadU(d, first + i), b = hn::LoadU(d, second + i);
    const auto c = hn::LoadU(d, cos + i), s = hn::LoadU(d, sin + i);
    hn::StoreU(hn::NegMulAdd(b, s, hn::Mul(a, c)), d, first + i);
    hn::StoreU(hn::MulAdd(a, s, hn::Mul(b, c)), d, second + i);
  }
  for (; i < half; ++i) {
    const float a = first[i], b = second[i];
    first[i] = a * cos[i] - b * sin[i];
    second[i] = b * cos[i] + a * sin[i];
  }
}

void rotate(FloatHeads x, int64_t half, const float* cos, const float* sin) {
  float* head_data = x.data;
  for (int64_t row = 0; row < x.rows; ++row, cos += half, sin += half)
    for (int64_t head = 0; head < x.heads; ++head, head_data += x.head_dim)
      rotate_head(head_data, half, cos, sin);
}

float max_of(const float* x, int64_t count) {
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  auto best = hn::Set(d, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) best = hn::Max(best, hn::LoadU(d, x + i));
  float result = hn::GetLane(hn::MaxOfLanes(d, best));
  for (; i < count; ++i) result = std::max(result, x[i]);
  return result;
}

void multiply(float* x, int64_t count, float factor) {
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  const auto f = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, x + i), f), d, x + i);
  for (; i < count; ++i) x[i] *= factor;
}

/// x becomes c · tanh(x / c).
void cap(float* x, int64_t count, float softcap) {
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  const auto c = hn::Set(d, softcap);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(hn::Mul(c, hn::Tanh(d, hn::Div(hn::LoadU(d, x + i), c))), d, x + i);
  for (; i < count; ++i) x[i] = softcap * std::tanh(x[i] / softcap);
}

float exponentiate(float* x, int64_t count, const ScoreScale& scale) {
  if (scale.factor != 1.0F) multiply(x, count, scale.factor);
  if (scale.softcap > 0) cap(x, count, scale.softcap);
  float max = max_of(x, count);
  if (scale.sink != nullptr) max = std::max(max, *scale.sink);
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  const auto shift = hn::Set(d, max);
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto e = hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), shift));
    hn::StoreU(e, d, x + i);
    sums = hn::Add(sums, e);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < count; ++i) sum += x[i] = std::exp(x[i] - max);
  return scale.sink != nullptr ? sum + std::exp(*scale.sink - max) : sum;
}

/// Σ e^(x − max) and Σ (x − max) e^(x − max) of a piece short enough for float sums.
void exp_sums(const float* x, int64_t count, float max, double& sum_exp, double& weighted) {
  const Floats d;
  const int64_t lanes = hn::Lanes(d);
  const auto shift = hn::Set(d, max);
  auto sums = hn::Zero(d);
  auto weights = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto below = hn::Sub(hn::LoadU(d, x + i), shift);
    const auto e = hn::Exp(d, below);
    sums = hn::Add(sums, e);
    weights = hn::MulAdd(below, e, weights);
  }
  sum_exp += hn::GetLane(hn::SumOfLanes(d, sums));
  weighted += hn::GetLane(hn::SumOfLanes(d, weights));
  for (; i < count; ++i) {
    const float below = x[i] - max;
    const float e = std::exp(below);
    sum_exp += e;
    weighted += static_cast<double>(below) * e;
  }
}

void accumulate(const float* logits, int64_t count, int32_t first_id, LogitStats& stats) {
  const float max = max_of(logits, count);
  if (max > stats.max) {
    const auto at = static_cast<int32_t>(std::find(logits, logits + count, max) - logits);
    stats.top1 = first_id + at;
    if (stats.sum_exp > 0) {
      const double shift = static_cast<double>(stats.max) - static_cast<double>(max);
      const double scale = std::exp(shift);
      stats.weighted = (stats.weighted + stats.sum_exp * shift) * scale;
      stats.sum_exp *= scale;
    }
    stats.max = max;
  }
  exp_sums(logits, count, stats.max, stats.sum_exp, stats.weighted);
}

}  // namespace HWY_NAMESPACE
}  // namespace air
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace air {

HWY_EXPORT(widen_bfloat16);
HWY_EXPORT(narrow_bfloat16);
HWY_EXPORT(widen_float16);
HWY_EXPORT(narrow_float16);
HWY_EXPORT(rms_norm);
HWY_EXPORT(silu);
HWY_EXPORT(gelu_tanh);
HWY_EXPORT(rotate);
HWY_EXPORT(exponentiate);
HWY_EXPORT(accumulate);

void widen(c10::ScalarType type, const void* from, int64_t count, float* to) {
  AIR_CHECK(type == c10::kBFloat16 || type == c10::kHalf);
  if (type == c10::kBFloat16)
    HWY_DYNAMIC_DISPATCH(widen_bfloat16)(static_cast<const c10::BFloat16*>(from), count, to);
  else
    HWY_DYNAMIC_DISPATCH(widen_float16)(static_cast<const c10::Half*>(from), count, to);
}

void narrow(c10::ScalarType type, const float* from, int64_t count, void* to) {
  AIR_CHECK(type == c10::kBFloat16 || type == c10::kHalf);
  if (type == c10::kBFloat16)
    HWY_DYNAMIC_DISPATCH(narrow_bfloat16)(from, count, static_cast<c10::BFloat16*>(to));
  else
    HWY_DYNAMIC_DISPATCH(narrow_float16)(from, count, static_cast<c10::Half*>(to));
}

void rms_norm_rows(FloatRows x, const float* weight, float eps, float* out) {
  HWY_DYNAMIC_DISPATCH(rms_norm)(x, weight, eps, out);
}

void silu_gate(float* gate, const float* up, int64_t count) {
  HWY_DYNAMIC_DISPATCH(silu)(gate, up, count);
}

void gelu_tanh_gate(float* gate, const float* up, int64_t count) {
  HWY_DYNAMIC_DISPATCH(gelu_tanh)(gate, up, count);
}

void rotate_halves(FloatHeads x, int64_t half, const float* cos, const float* sin) {
  HWY_DYNAMIC_DISPATCH(rotate)(x, half, cos, sin);
}

float exponentiate_scores(float* scores, int64_t count, const ScoreScale& scale) {
  return HWY_DYNAMIC_DISPATCH(exponentiate)(scores, count, scale);
}

void accumulate_logits(const float* logits, int64_t count, int32_t first_id, LogitStats& stats) {
  HWY_DYNAMIC_DISPATCH(accumulate)(logits, count, first_id, stats);
}

}  // namespace air
#endif
