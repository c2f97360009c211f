#include "score/measured_rate.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/interrupt.h"
#include "score/batch_scorer.h"

namespace air {

namespace {

using Clock = std::chrono::steady_clock;

// A batch takes longer at first: memory is fetched, kernels are made for the sizes.
constexpr size_t kWarmUpBatches = 1;

/// An order of [0, count) whose beginnings are all spread over the whole: steps of the golden
/// ratio.
std::vector<size_t> spread_order(size_t count) {
  auto step = static_cast<size_t>(0.618 * static_cast<double>(count)) + 1;
  while (std::gcd(step, count) != 1) ++step;
  std::vector<size_t> order;
  for (size_t i = 0; i < count; ++i) order.push_back(i * step % count);
  return order;
}

}  // namespace

MeasuredRate measure_rate(const LoadedScorer& loaded, const std::vector<PendingTrace>& traces,
                          double most_seconds) {
  BatchScorer scorer(loaded.scorer, loaded.options);
  const std::vector<TraceBatch> batches = scorer.make_batches(traces);
  for (size_t i = 0; i < std::min(kWarmUpBatches, batches.size()); ++i) scorer.score(batches[i]);
  MeasuredRate measured;
  for (const size_t index : spread_order(batches.size())) {
    const TraceBatch& batch = batches[index];
    if (interrupt_requested()) throw Interrupted{};
    const auto start = Clock::now();
    scorer.score(batch);
    measured.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    for (const PendingTrace* pending : batch) measured.num_tokens += pending->trace.num_tokens();
    if (measured.seconds >= most_seconds) break;
  }
  return measured;
}

}  // namespace air
