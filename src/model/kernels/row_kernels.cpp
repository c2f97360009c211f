#include "model/kernels/row_kernels.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <array>
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

// A vector of a row of scores or of columns of a tile, whose number is a multiple of 16.
using Few = hn::CappedTag<float, 16>;

/// The end of a row that fills no vector, followed by −∞.
class Tail {
 public:
  Tail(const float* x, int64_t count) : count_(count) {
    std::copy_n(x, count, data_.begin());
    std::fill(data_.begin() + count, data_.end(), -std::numeric_limits<float>::infinity());
  }
  float* data() { return data_.data(); }
  void store(float* x) const { std::copy_n(data_.begin(), count_, x); }

 private:
  int64_t count_;
  std::array<float, 16> data_;
};

/// @param count a multiple of the lanes   @param tail one vector
float max_of(const float* x, int64_t count, const float* tail) {
  const Few d;
  const int64_t lanes = hn::Lanes(d);
  auto even = hn::LoadU(d, tail), odd = even;
  int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    even = hn::Max(even, hn::LoadU(d, x + i));
    odd = hn::Max(odd, hn::LoadU(d, x + i + lanes));
  }
  if (i < count) even = hn::Max(even, hn::LoadU(d, x + i));
  return hn::GetLane(hn::MaxOfLanes(d, hn::Max(even, odd)));
}

float exponentiate(float* x, int64_t count, ScoreScale scale) {
  if (scale.softcap > 0) {
    multiply(x, count, scale.factor);
    cap(x, count, scale.softcap);
    scale.factor = 1.0F;
  }
  const Few d;
  const int64_t lanes = hn::Lanes(d), whole = count / lanes * lanes;
  Tail tail(x + whole, count - whole);
  float max = scale.factor * max_of(x, whole, tail.data());
  if (scale.sink != nullptr) max = std::max(max, *scale.sink);
  const auto factor = hn::Set(d, scale.factor), shift = hn::Set(d, max);
  auto sums = hn::Zero(d);
  const auto take = [&](float* at) HWY_ATTR {
    const auto e = hn::Exp(d, hn::MulSub(hn::LoadU(d, at), factor, shift));
    hn::StoreU(e, d, at);
    sums = hn::Add(sums, e);
  };
  for (int64_t i = 0; i < whole; i += lanes) take(x + i);
  take(tail.data());
  tail.store(x + whole);
  const float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  return scale.sink != nullptr ? sum + std::exp(*scale.sink - max) : sum;
}

/// Maxima of columns of a tile. @param x the first token's   @param max one of each lane
void column_maxima(const float* x, LogitTile tile, float* max) {
  const Few d;
  auto even = hn::LoadU(d, x), odd = even;
  int64_t i = 1;
  for (; i + 1 < tile.tokens; i += 2) {
    even = hn::Max(even, hn::LoadU(d, x + i * tile.rows));
    odd = hn::Max(odd, hn::LoadU(d, x + (i + 1) * tile.rows));
  }
  if (i < tile.tokens) even = hn::Max(even, hn::LoadU(d, x + i * tile.rows));
  hn::StoreU(hn::Max(even, odd), d, max);
}

/// The sums of LogitStats, of columns of a tile that is short enough for float sums.
struct ColumnSums {
  std::array<float, 16> exp, weighted;
};

void column_sums(const float* x, LogitTile tile, const float* max, ColumnSums& sums) {
  const Few d;
  const auto shift = hn::LoadU(d, max);
  auto even = hn::Zero(d), odd = even, even_weights = even, odd_weights = even;
  const auto take = [&](int64_t token, auto& sum, auto& weights) HWY_ATTR {
    const auto below = hn::Sub(hn::LoadU(d, x + token * tile.rows), shift);
    const auto e = hn::Exp(d, below);
    sum = hn::Add(sum, e);
    weights = hn::MulAdd(below, e, weights);
  };
  int64_t i = 0;
  for (; i + 1 < tile.tokens; i += 2) {
    take(i, even, even_weights);
    take(i + 1, odd, odd_weights);
  }
  if (i < tile.tokens) take(i, even, even_weights);
  hn::StoreU(hn::Add(even, odd), d, sums.exp.data());
  hn::StoreU(hn::Add(even_weights, odd_weights), d, sums.weighted.data());
}

void accumulate(LogitTile tile, int32_t first_id, LogitStats* stats) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Few()));
  std::array<float, 16> max;
  ColumnSums sums;
  for (int64_t row = 0; row < tile.rows; row += lanes, stats += lanes) {
    const float* x = tile.data + row;
    column_maxima(x, tile, max.data());
    for (int64_t lane = 0; lane < lanes; ++lane) {
      if (max[lane] > stats[lane].max) {
        int32_t token = 0;
        while (x[token * tile.rows + lane] != max[lane]) ++token;
        stats[lane].raise_max(max[lane], first_id + token);
      }
      max[lane] = stats[lane].max;
    }
    column_sums(x, tile, max.data(), sums);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      stats[lane].sum_exp += sums.exp[lane];
      stats[lane].weighted += sums.weighted[lane];
    }
  }
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
  AIR_CHECK(scale.factor > 0);
  return HWY_DYNAMIC_DISPATCH(exponentiate)(scores, count, scale);
}

void accumulate_logits(LogitTile tile, int32_t first_id, LogitStats* stats) {
  AIR_CHECK(tile.tokens > 0 && tile.rows % 16 == 0);
  HWY_DYNAMIC_DISPATCH(accumulate)(tile, first_id, stats);
}

void LogitStats::raise_max(float greater, int32_t token) {
  if (sum_exp > 0) {
    const double shift = static_cast<double>(max) - static_cast<double>(greater);
    const double scale = std::exp(shift);
    weighted = (weighted + sum_exp * shift) * scale;
    sum_exp *= scale;
  }
  max = greater;
  top1 = token;
}

void LogitStats::add(LogitStats later) {
  if (later.max > max)
    raise_max(later.max, later.top1);
  else if (later.sum_exp > 0)
    later.raise_max(max, top1);
  sum_exp += later.sum_exp;
  weighted += later.weighted;
}

}  // namespace air
#endif
