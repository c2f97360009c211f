#include "scored/thresholds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <set>

#include "base/error.h"

namespace air {

namespace {

/// A value that the row after the last one could have: what bounds the threshold from below.
double below(double value) { return value - std::max(0.1 * std::abs(value), 1e-6); }

}  // namespace

double short_number_between(double low, double high) {
  AIR_CHECK(low < high);
  const double middle = low + (high - low) / 2;
  for (int digits = 1; digits < 17; ++digits)
    for (const double near : {high, middle}) {
      const double rounded = std::strtod(fmt::format("{:.{}g}", near, digits).c_str(), nullptr);
      if (rounded > low && rounded <= high) return rounded + 0.0;  // no "-0"
    }
  return high;
}

std::string flag_number(double value) { return fmt::format("{}", value); }

std::vector<Threshold> thresholds(const std::vector<ThresholdRow>& rows, size_t num_groups,
                                  const std::vector<int64_t>& wanted) {
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rows[a].value > rows[b].value; });
  std::vector<Threshold> all;
  Threshold sum{.kept_of_group = std::vector<int64_t>(num_groups)};
  double nats = 0;
  size_t next = 0;
  for (const int64_t count : wanted) {
    if (count <= sum.kept) continue;
    const auto reaches = [&] {
      return sum.kept >= count && (next == order.size() || rows[order[next]].value < sum.value);
    };
    while (!reaches()) {
      const ThresholdRow& row = rows[order[next++]];
      sum.value = row.value;
      ++sum.kept;
      sum.tokens += row.num_tokens;
      nats += row.base_nll * static_cast<double>(row.num_tokens);
      ++sum.kept_of_group[row.group];
    }
    Threshold threshold = sum;
    threshold.base_nll = sum.tokens > 0 ? nats / static_cast<double>(sum.tokens) : 0;
    threshold.value = short_number_between(
        next == order.size() ? below(sum.value) : rows[order[next]].value, sum.value);
    all.push_back(std::move(threshold));
  }
  return all;
}

std::vector<int64_t> spread_counts(int64_t num_rows, int64_t most) {
  std::set<int64_t> counts;
  if (num_rows <= most) {
    for (int64_t i = 1; i <= num_rows; ++i) counts.insert(i);
  } else {
    for (int64_t i = 1; i <= most; ++i) counts.insert(num_rows * i / most);
    for (int64_t decade = 1; decade <= num_rows; decade *= 10)
      for (const int64_t step : {1, 2, 5})
        if (decade * step <= num_rows) counts.insert(decade * step);
  }
  return {counts.begin(), counts.end()};
}

}  // namespace air
