// Which rows are kept: an order, and quotas that are filled in that order.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace air {

/// A scored row as selection sees it; its index in the list is its place in the input.
struct Candidate {
  double value = 0;
  int64_t rank = 0;        ///< 0: none
  int64_t num_tokens = 0;  ///< of the response
  int32_t group = 0;       ///< rows of one group share quotas
  int32_t best_of = -1;    ///< of rows with the same number one is kept; −1: not asked for
};

enum class SelectionOrder {
  kTop,     ///< greatest value first
  kBottom,  ///< smallest value first
  kRandom,  ///< by the seed alone
};

/// What is kept. Quotas hold for each group; of several all hold.
struct SelectionRules {
  SelectionOrder order = SelectionOrder::kTop;
  uint64_t seed = 0;
  std::optional<double> min_score;    ///< rows below are dropped before anything else
  std::optional<int64_t> top_k;       ///< rows
  std::optional<double> top_percent;  ///< of the group's rows that are left, rounded up
  std::optional<int64_t> max_tokens;  ///< filled in order; a row that does not fit is passed over
};

/// The rows that are kept, in the selection's order, and why the others are not.
struct Selection {
  std::vector<int64_t> kept;
  int64_t dropped_by_min_score = 0;
  int64_t dropped_by_best_of = 0;
  int64_t dropped_by_top_k = 0;
  int64_t dropped_by_top_percent = 0;
  int64_t dropped_by_max_tokens = 0;
};

/// All rows in order. Ties: by rank (unranked rows last), then by place in the input. NaN comes last.
std::vector<int64_t> order_rows(const std::vector<Candidate>& rows, SelectionOrder order, uint64_t seed);

Selection select_rows(const std::vector<Candidate>& rows, const SelectionRules& rules);

}  // namespace air
