// Ranks over the scored rows of several runs: the shards of one dataset, put together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scored/losses.h"

namespace air {

/// What decides a row's rank.
struct RankedRow {
  double influence = 0, divergence = 0;
  int64_t rank = 0;   ///< as written; 0: none
  int64_t line = 0;   ///< in the input of `air score`, which numbers lines alike in every shard
  int64_t trace = 0;  ///< of that line
};

/// Ranks from 1 over all rows, as one run over all of them would have written: the greatest score
/// first, ties by line, trace, then place in the list. Rows without a rank get 0.
/// @param ranked_by  what `air score --influence` was. Where it is not known: the one that the
///   rows' own ranks follow better.
/// @return one a row; empty when no rank occurs twice: then the rows were ranked together.
std::vector<int64_t> joined_ranks(const std::vector<RankedRow>& rows,
                                  std::optional<InfluenceKind> ranked_by = std::nullopt);

/// A scored line with another number for its rank, all other bytes unchanged; as it is when it has
/// no rank.
/// @throws Error(kInput) when the line is not a scored one.
std::string with_other_rank(std::string_view line, int64_t rank, const std::string& where);

}  // namespace air
