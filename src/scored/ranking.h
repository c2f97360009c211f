// The one law by which traces are ranked, and ranks over the scored rows of several runs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "scored/losses.h"

namespace air {

/// What decides a trace's place in the ranking.
struct RankKey {
  double influence = 0, divergence = 0;
  int64_t rank = 0;   ///< as written; 0: none
  int64_t line = 0;   ///< in the input of `air score`, which numbers lines alike in every shard
  int64_t trace = 0;  ///< of that line
};

/// The number that ranks.
double ranking_score(const RankKey& key, InfluenceKind kind);

/// The greatest score first, ties by line, then trace.
bool ranks_before(const RankKey& a, const RankKey& b, InfluenceKind kind);

/// No row has a rank: what a stream wrote.
bool are_unranked(const std::vector<RankKey>& rows);

/// Ranks from 1 over all rows, as one run over all of them would have written: by ranks_before(),
/// ties by place in the list. Rows without a rank get 0, unless are_unranked(rows).
/// @param kind  what `air score --influence` was. Where it is not known: the one that the rows' own
///   ranks follow better.
/// @return one a row; empty when there are ranks and none occurs twice: then the rows were ranked
///   together.
std::vector<int64_t> joined_ranks(const std::vector<RankKey>& rows,
                                  std::optional<InfluenceKind> kind = std::nullopt);

/// Ranks from 1 for the smallest; ties share the mean of theirs.
std::vector<double> average_ranks(const std::vector<double>& values);

/// Spearman's rank correlation with average ranks for ties; 0 when a side is constant or there are
/// fewer than 2 items.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace air
