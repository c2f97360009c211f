// Which rows are kept: an order, and quotas that are filled in that order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "select/rules.h"

namespace air {

/// A scored row as selection sees it; its index in the list is its place in the input.
struct Candidate {
  double value = 0;
  int64_t rank = 0;        ///< 0: none
  int64_t num_tokens = 0;  ///< of the response
  int32_t group = 0;       ///< rows of one group share quotas
  int32_t best_of = -1;    ///< of rows with the same number one is kept; −1: not asked for
  int32_t text = -1;       ///< likewise: rows with the same text have the same number
  double stratum = 0;      ///< the value that strata are cut by
  bool truncated = false;  ///< the response was cut off
  bool fits = true;        ///< all conditions of --where hold
};

enum class SelectionOrder {
  kTop,     ///< greatest value first
  kBottom,  ///< smallest value first
  kRandom,  ///< by the seed alone
  kRank,    ///< as they were ranked
};

/// Whose the quotas are.
enum class GroupQuota {
  kEach,          ///< each group has the whole quota for itself
  kEqual,         ///< the groups share it evenly; what a small one can't use goes to the others
  kProportional,  ///< the groups share it by their sizes
};

/// What is kept. Filters come first, then quotas; of several all hold.
struct SelectionRules {
  SelectionOrder order = SelectionOrder::kTop;
  uint64_t seed = 0;
  std::optional<double> min_score;      ///< rows below are dropped before anything else
  std::optional<int64_t> min_tokens;    ///< likewise, rows with fewer response tokens
  std::optional<int64_t> max_response;  ///< likewise, rows with more
  bool exclude_truncated = false;
  std::optional<int64_t> top_k;       ///< rows
  std::optional<double> top_percent;  ///< of the group's rows that are left, rounded up
  std::optional<int64_t> max_tokens;  ///< filled in order; a row that does not fit is passed over
  GroupQuota group_quota = GroupQuota::kEach;
  /// Each group is cut into so many strata of equally many rows by Candidate::stratum; they share
  /// its quotas evenly.
  int64_t num_strata = 1;
};

/// The rows that are kept, in the selection's order, and why the others are not.
struct Selection {
  std::vector<int64_t> kept;
  std::array<int64_t, kNumRules> dropped{};  ///< by each rule: see dropped_by()

  int64_t& dropped_by(Rule rule) { return dropped[static_cast<size_t>(rule)]; }
  int64_t dropped_by(Rule rule) const { return dropped[static_cast<size_t>(rule)]; }
};

/// All rows in order. Ties: by rank (unranked rows last), then by place in the input. NaN comes
/// last.
std::vector<int64_t> order_rows(const std::vector<Candidate>& rows, SelectionOrder order,
                                uint64_t seed);

/// Parts of `total`, none above its capacity, as even as can be; the first parts get what is left
/// over.
std::vector<int64_t> share_evenly(int64_t total, const std::vector<int64_t>& capacities);

/// Parts of `total` in proportion to the sizes, rounded by the largest remainder; none above its
/// size.
std::vector<int64_t> share_by_size(int64_t total, const std::vector<int64_t>& sizes);

Selection select_rows(const std::vector<Candidate>& rows, const SelectionRules& rules);

}  // namespace air
