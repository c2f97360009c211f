#include "score/packer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.h"

namespace air {

namespace {

/// Traces that go into one batch.
struct Unit {
  std::vector<size_t> members;
  int64_t num_tokens = 0;
};

/// Cuts traces, longest first, into units: traces of one prompt together, anything else alone.
std::vector<Unit> make_units(std::span<const TraceLength> traces, const std::vector<size_t>& order,
                             int64_t max_batch_tokens, double shared_token_cost) {
  std::vector<Unit> units;
  std::map<int64_t, size_t> open;  // prompt → the unit that takes its next trace
  for (const size_t index : order) {
    const TraceLength& trace = traces[index];
    const int64_t more =
        trace.num_tokens - trace.num_prompt_tokens +
        std::llround(shared_token_cost * static_cast<double>(trace.num_prompt_tokens));
    const auto found = trace.prompt < 0 ? open.end() : open.find(trace.prompt);
    if (found != open.end() && units[found->second].num_tokens + more <= max_batch_tokens) {
      units[found->second].members.push_back(index);
      units[found->second].num_tokens += more;
      continue;
    }
    if (trace.prompt >= 0) open[trace.prompt] = units.size();
    units.push_back({{index}, trace.num_tokens});
  }
  return units;
}

}  // namespace

std::vector<std::vector<size_t>> pack_batches(std::span<const TraceLength> traces,
                                              int64_t max_batch_tokens, double shared_token_cost) {
  AIR_CHECK(max_batch_tokens > 0);
  std::vector<size_t> order(traces.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return traces[a].num_tokens > traces[b].num_tokens; });
  std::vector<std::vector<size_t>> batches;
  int64_t used = 0;
  for (const Unit& unit : make_units(traces, order, max_batch_tokens, shared_token_cost)) {
    if (batches.empty() || used + unit.num_tokens > max_batch_tokens) {
      batches.emplace_back();
      used = 0;
    }
    batches.back().insert(batches.back().end(), unit.members.begin(), unit.members.end());
    used += unit.num_tokens;
  }
  return batches;
}

}  // namespace air
