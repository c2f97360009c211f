// What stays of scored traces at each least value: the numbers that a threshold is chosen by.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace air {

/// What a threshold is chosen by, of one trace.
struct ThresholdRow {
  double value = 0;  ///< finite
  int64_t num_tokens = 0;
  double base_nll = 0;  ///< nats per token
  size_t group = 0;     ///< < the number of groups
};

/// Traces with at least `value` are kept.
struct Threshold {
  double value = 0;
  int64_t kept = 0, tokens = 0;
  double base_nll = 0;                 ///< mean over the kept tokens, nats per token
  std::vector<int64_t> kept_of_group;  ///< one a group
};

/// The number in (low, high] that has the fewest digits, as far as rounding finds it; `high` when
/// nothing shorter lies there. @param low < high, both finite.
double short_number_between(double low, double high);

/// The number as flags read it, in its shortest form that reads back.
std::string flag_number(double value);

/// For each wanted count, in ascending order, the threshold that keeps at least so many rows: equal
/// values stay together, so it may keep more. Rows lie at or above a threshold by the comparison
/// that `air select --min-score` makes. Counts that lead to the same threshold give one.
/// @param wanted  ascending, each in [1, rows.size()].
std::vector<Threshold> thresholds(const std::vector<ThresholdRow>& rows, size_t num_groups,
                                  const std::vector<int64_t>& wanted);

/// Counts to ask thresholds for: all up to `most` of them, else evenly spaced ones, and the
/// smallest by 1, 2, 5, 10, …
std::vector<int64_t> spread_counts(int64_t num_rows, int64_t most);

}  // namespace air
