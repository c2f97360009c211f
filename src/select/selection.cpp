#include "air/select/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "air/base/rng.h"

namespace air {
namespace {

int64_t rank_or_last(const Candidate& row) { return row.rank > 0 ? row.rank : std::numeric_limits<int64_t>::max(); }

/// Quotas of one group, filled row by row.
class GroupQuota {
 public:
  GroupQuota(const SelectionRules& rules, int64_t num_rows) : rules_(rules) {
    if (rules.top_percent) {
      constexpr double kRounding = 1e-9;  // 10 % of 270 is a little above 27 in binary
      max_rows_of_percent_ =
          static_cast<int64_t>(std::ceil(*rules.top_percent / 100 * static_cast<double>(num_rows) - kRounding));
    }
  }

  /// Takes the row, or counts which rule drops it.
  bool take(const Candidate& row, Selection& selection) {
    if (rules_.top_k && num_rows_ >= *rules_.top_k) {
      ++selection.dropped_by_top_k;
      return false;
    }
    if (rules_.top_percent && num_rows_ >= max_rows_of_percent_) {
      ++selection.dropped_by_top_percent;
      return false;
    }
    if (rules_.max_tokens && num_tokens_ + row.num_tokens > *rules_.max_tokens) {
      ++selection.dropped_by_max_tokens;
      return false;
    }
    ++num_rows_;
    num_tokens_ += row.num_tokens;
    return true;
  }

 private:
  const SelectionRules& rules_;
  int64_t max_rows_of_percent_ = 0;
  int64_t num_rows_ = 0;
  int64_t num_tokens_ = 0;
};

/// The rows, in order, that the filters leave.
std::vector<int64_t> filter(const std::vector<Candidate>& rows, const SelectionRules& rules, Selection& selection) {
  std::vector<int64_t> left;
  std::unordered_set<int32_t> seen;
  for (const int64_t index : order_rows(rows, rules.order, rules.seed)) {
    const Candidate& row = rows[static_cast<size_t>(index)];
    if (rules.min_score && !(row.value >= *rules.min_score)) {
      ++selection.dropped_by_min_score;
    } else if (row.best_of >= 0 && !seen.insert(row.best_of).second) {
      ++selection.dropped_by_best_of;
    } else {
      left.push_back(index);
    }
  }
  return left;
}

}  // namespace

std::vector<int64_t> order_rows(const std::vector<Candidate>& rows, SelectionOrder order, uint64_t seed) {
  std::vector<int64_t> indices(rows.size());
  std::iota(indices.begin(), indices.end(), 0);
  if (order == SelectionOrder::kRandom) {
    Rng rng(seed);
    rng.shuffle(indices);
    return indices;
  }
  const double sign = order == SelectionOrder::kTop ? -1 : 1;
  const auto key = [&](const Candidate& row) {
    return std::isnan(row.value) ? std::numeric_limits<double>::infinity() : sign * row.value;
  };
  std::stable_sort(indices.begin(), indices.end(), [&](int64_t left, int64_t right) {
    const Candidate& a = rows[static_cast<size_t>(left)];
    const Candidate& b = rows[static_cast<size_t>(right)];
    if (key(a) != key(b)) return key(a) < key(b);
    return rank_or_last(a) < rank_or_last(b);
  });
  return indices;
}

Selection select_rows(const std::vector<Candidate>& rows, const SelectionRules& rules) {
  Selection selection;
  const std::vector<int64_t> left = filter(rows, rules, selection);
  std::unordered_map<int32_t, int64_t> group_sizes;
  for (const int64_t index : left) ++group_sizes[rows[static_cast<size_t>(index)].group];
  std::unordered_map<int32_t, GroupQuota> quotas;
  for (const int64_t index : left) {
    const Candidate& row = rows[static_cast<size_t>(index)];
    GroupQuota& quota = quotas.try_emplace(row.group, rules, group_sizes[row.group]).first->second;
    if (quota.take(row, selection)) selection.kept.push_back(index);
  }
  return selection;
}

}  // namespace air
