#include "model/logit_stats.h"

#include <algorithm>

// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/logit_stats.cpp"
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

float max_of(const float* x, int64_t count) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto best = hn::Set(d, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) best = hn::Max(best, hn::LoadU(d, x + i));
  float result = hn::GetLane(hn::MaxOfLanes(d, best));
  for (; i < count; ++i) result = std::max(result, x[i]);
  return result;
}

/// Σ e^(x − max) and Σ (x − max) e^(x − max) of a piece short enough for float sums.
void exp_sums(const float* x, int64_t count, float max, double& sum_exp, double& weighted) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
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

HWY_EXPORT(accumulate);

void accumulate_logits(const float* logits, int64_t count, int32_t first_id, LogitStats& stats) {
  HWY_DYNAMIC_DISPATCH(accumulate)(logits, count, first_id, stats);
}

}  // namespace air
#endif
