#include "model/softmax_row.h"

#include <algorithm>
#include <cmath>
#include <limits>

// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/softmax_row.cpp"
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

float capped_max(float* x, int64_t count, float softcap) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto best = hn::Set(d, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    auto value = hn::LoadU(d, x + i);
    if (softcap > 0) {
      value = hn::Mul(hn::Set(d, softcap), hn::Tanh(d, hn::Div(value, hn::Set(d, softcap))));
      hn::StoreU(value, d, x + i);
    }
    best = hn::Max(best, value);
  }
  float max = hn::GetLane(hn::MaxOfLanes(d, best));
  for (; i < count; ++i) {
    if (softcap > 0) x[i] = softcap * std::tanh(x[i] / softcap);
    max = std::max(max, x[i]);
  }
  return max;
}

float exponentiate(float* x, int64_t count, float softcap, const float* sink) {
  float max = capped_max(x, count, softcap);
  if (sink != nullptr) max = std::max(max, *sink);
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
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
  return sink != nullptr ? sum + std::exp(*sink - max) : sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace air
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace air {

HWY_EXPORT(exponentiate);

float exponentiate_scores(float* scores, int64_t count, float softcap, const float* sink) {
  return HWY_DYNAMIC_DISPATCH(exponentiate)(scores, count, softcap, sink);
}

}  // namespace air
#endif
