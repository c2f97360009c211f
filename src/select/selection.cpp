#include "select/selection.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/rng.h"

namespace air {
namespace {

int64_t rank_or_last(const Candidate& row) {
  return row.rank > 0 ? row.rank : std::numeric_limits<int64_t>::max();
}

/// A part of the rows with a quota of its own: a stratum of a group.
struct Cell {
  std::vector<int64_t> rows;  ///< indices, in the selection's order
  int64_t tokens = 0;         ///< of all its rows
  int64_t max_rows = std::numeric_limits<int64_t>::max();
  int64_t max_rows_of_percent = std::numeric_limits<int64_t>::max();
  int64_t max_tokens = std::numeric_limits<int64_t>::max();
  int64_t kept_rows = 0;
  int64_t kept_tokens = 0;

  void add(int64_t index, const Candidate& row) {
    rows.push_back(index);
    tokens += row.num_tokens;
  }
  int64_t size() const { return static_cast<int64_t>(rows.size()); }

  /// Takes the row, or counts which rule drops it.
  bool take(const Candidate& row, Selection& selection) {
    if (kept_rows >= max_rows) {
      ++selection.dropped_by(Rule::kTopK);
      return false;
    }
    if (kept_rows >= max_rows_of_percent) {
      ++selection.dropped_by(Rule::kTopPercent);
      return false;
    }
    if (kept_tokens + row.num_tokens > max_tokens) {
      ++selection.dropped_by(Rule::kTokenBudget);
      return false;
    }
    ++kept_rows;
    kept_tokens += row.num_tokens;
    return true;
  }
};

/// The rows of each group.
std::vector<Cell> cut_groups(const std::vector<Candidate>& rows, const std::vector<int64_t>& left) {
  std::vector<Cell> groups;
  std::unordered_map<int32_t, size_t> place;
  for (const int64_t index : left) {
    const Candidate& row = rows[static_cast<size_t>(index)];
    const auto [found, is_new] = place.try_emplace(row.group, groups.size());
    if (is_new) groups.emplace_back();
    groups[found->second].add(index, row);
  }
  return groups;
}

/// Strata of a group: equally many rows each, by the stratum's value; ties by place in the input.
std::vector<Cell> cut_strata(const std::vector<Candidate>& rows, const Cell& group,
                             int64_t num_strata) {
  const auto value = [&](int64_t index) {
    const double stratum = rows[static_cast<size_t>(index)].stratum;
    return std::isnan(stratum) ? std::numeric_limits<double>::infinity() : stratum;
  };
  std::vector<int64_t> by_value = group.rows;
  std::sort(by_value.begin(), by_value.end(),
            [&](int64_t a, int64_t b) { return std::pair(value(a), a) < std::pair(value(b), b); });
  std::unordered_map<int64_t, int64_t> stratum_of;
  for (int64_t i = 0; i < group.size(); ++i)
    stratum_of[by_value[static_cast<size_t>(i)]] = i * num_strata / group.size();
  std::vector<Cell> strata(static_cast<size_t>(num_strata));
  for (const int64_t index : group.rows)
    strata[static_cast<size_t>(stratum_of[index])].add(index, rows[static_cast<size_t>(index)]);
  return strata;
}

/// What a quota gives to each cell, given what the cells hold.
using Sharing = std::vector<int64_t> (*)(int64_t total, const std::vector<int64_t>& capacities);

/// Gives quotas of a whole to its cells. @param whole has them set.
void share_quotas(const Cell& whole, std::vector<Cell>& cells, Sharing share) {
  constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
  std::vector<int64_t> sizes, tokens;
  for (const Cell& cell : cells) sizes.push_back(cell.size()), tokens.push_back(cell.tokens);
  const std::vector<int64_t> row_shares =
      whole.max_rows == kNone ? std::vector<int64_t>{} : share(whole.max_rows, sizes);
  const std::vector<int64_t> token_shares =
      whole.max_tokens == kNone ? std::vector<int64_t>{} : share(whole.max_tokens, tokens);
  for (size_t i = 0; i < cells.size(); ++i) {
    if (!row_shares.empty()) cells[i].max_rows = row_shares[i];
    if (!token_shares.empty()) cells[i].max_tokens = token_shares[i];
  }
}

/// Groups and their strata, each with its quota.
std::vector<Cell> make_cells(const std::vector<Candidate>& rows, const std::vector<int64_t>& left,
                             const SelectionRules& rules) {
  std::vector<Cell> groups = cut_groups(rows, left);
  Cell whole;
  if (rules.top_k) whole.max_rows = *rules.top_k;
  if (rules.max_tokens) whole.max_tokens = *rules.max_tokens;
  if (rules.group_quota == GroupQuota::kEach) {
    for (Cell& group : groups) group.max_rows = whole.max_rows, group.max_tokens = whole.max_tokens;
  } else {
    share_quotas(whole, groups,
                 rules.group_quota == GroupQuota::kEqual ? share_evenly : share_by_size);
  }
  std::vector<Cell> cells;
  for (Cell& group : groups) {
    std::vector<Cell> strata;
    if (rules.num_strata > 1) {
      strata = cut_strata(rows, group, rules.num_strata);
      share_quotas(group, strata, share_evenly);
    } else {
      strata.push_back(std::move(group));
    }
    std::move(strata.begin(), strata.end(), std::back_inserter(cells));
  }
  if (rules.top_percent) {
    constexpr double kRounding = 1e-9;  // 10 % of 270 is a little above 27 in binary
    for (Cell& cell : cells)
      cell.max_rows_of_percent = static_cast<int64_t>(
          std::ceil(*rules.top_percent / 100 * static_cast<double>(cell.size()) - kRounding));
  }
  return cells;
}

/// The rows, in order, that the filters leave.
std::vector<int64_t> filter(const std::vector<Candidate>& rows, const SelectionRules& rules,
                            Selection& selection) {
  std::vector<int64_t> left;
  std::unordered_set<int32_t> seen, seen_texts;
  for (const int64_t index : order_rows(rows, rules.order, rules.seed)) {
    const Candidate& row = rows[static_cast<size_t>(index)];
    if (rules.min_score && !(row.value >= *rules.min_score)) {
      ++selection.dropped_by(Rule::kMinScore);
    } else if (rules.min_tokens && row.num_tokens < *rules.min_tokens) {
      ++selection.dropped_by(Rule::kMinTokens);
    } else if (rules.max_response && row.num_tokens > *rules.max_response) {
      ++selection.dropped_by(Rule::kMaxResponse);
    } else if (!row.fits) {
      ++selection.dropped_by(Rule::kWhere);
    } else if (rules.exclude_truncated && row.truncated) {
      ++selection.dropped_by(Rule::kExcludeTruncated);
    } else if (row.text >= 0 && !seen_texts.insert(row.text).second) {
      ++selection.dropped_by(Rule::kDedup);
    } else if (row.best_of >= 0 && !seen.insert(row.best_of).second) {
      ++selection.dropped_by(Rule::kBestOf);
    } else {
      left.push_back(index);
    }
  }
  return left;
}

}  // namespace

std::vector<int64_t> order_rows(const std::vector<Candidate>& rows, SelectionOrder order,
                                uint64_t seed) {
  std::vector<int64_t> indices(rows.size());
  std::iota(indices.begin(), indices.end(), 0);
  if (order == SelectionOrder::kRandom) {
    Rng rng(seed);
    rng.shuffle(indices);
    return indices;
  }
  const double sign = order == SelectionOrder::kTop ? -1 : 1;
  const auto key = [&](const Candidate& row) {
    if (order == SelectionOrder::kRank) return 0.0;
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

std::vector<int64_t> share_evenly(int64_t total, const std::vector<int64_t>& capacities) {
  std::vector<int64_t> shares(capacities.size());
  std::vector<size_t> open;
  for (size_t i = 0; i < capacities.size(); ++i)
    if (capacities[i] > 0) open.push_back(i);
  while (total > 0 && !open.empty()) {
    const int64_t each = total / static_cast<int64_t>(open.size());
    if (each == 0) {
      for (const size_t i : open)
        if (total > 0) ++shares[i], --total;
      break;
    }
    std::vector<size_t> still_open;
    for (const size_t i : open) {
      const int64_t more = std::min(each, capacities[i] - shares[i]);
      shares[i] += more;
      total -= more;
      if (shares[i] < capacities[i]) still_open.push_back(i);
    }
    open = std::move(still_open);
  }
  return shares;
}

std::vector<int64_t> share_by_size(int64_t total, const std::vector<int64_t>& sizes) {
  const int64_t sum = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  if (total >= sum) return sizes;
  std::vector<int64_t> shares(sizes.size());
  std::vector<std::pair<long double, size_t>> remainders;
  int64_t left = total;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const long double exact = static_cast<long double>(total) * static_cast<long double>(sizes[i]) /
                              static_cast<long double>(sum);
    shares[i] = static_cast<int64_t>(exact);
    left -= shares[i];
    remainders.emplace_back(static_cast<long double>(shares[i]) - exact,
                            i);  // the largest remainder first
  }
  std::sort(remainders.begin(), remainders.end());
  for (int64_t i = 0; i < left; ++i) ++shares[remainders[static_cast<size_t>(i)].second];
  return shares;
}

Selection select_rows(const std::vector<Candidate>& rows, const SelectionRules& rules) {
  Selection selection;
  const std::vector<int64_t> left = filter(rows, rules, selection);
  std::vector<Cell> cells = make_cells(rows, left, rules);
  std::vector<int32_t> cell_of(rows.size());
  for (size_t i = 0; i < cells.size(); ++i)
    for (const int64_t index : cells[i].rows)
      cell_of[static_cast<size_t>(index)] = static_cast<int32_t>(i);
  for (const int64_t index : left) {
    Cell& cell = cells[static_cast<size_t>(cell_of[static_cast<size_t>(index)])];
    if (cell.take(rows[static_cast<size_t>(index)], selection)) selection.kept.push_back(index);
  }
  return selection;
}

}  // namespace air
