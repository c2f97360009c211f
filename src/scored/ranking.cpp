#include "scored/ranking.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace air {

namespace {

bool some_rank_occurs_twice(const std::vector<RankKey>& rows) {
  std::vector<int64_t> ranks;
  ranks.reserve(rows.size());
  for (const RankKey& row : rows)
    if (row.rank > 0) ranks.push_back(row.rank);
  std::sort(ranks.begin(), ranks.end());
  return std::adjacent_find(ranks.begin(), ranks.end()) != ranks.end();
}

/// Neighbouring rows whose written ranks contradict the score. Rows of two shards meet once a
/// shard, so that the wrong score shows by far more of them.
size_t contradictions(const std::vector<RankKey>& rows, InfluenceKind kind) {
  size_t count = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const bool rises = rows[i - 1].rank < rows[i].rank;
    const RankKey& better = rises ? rows[i - 1] : rows[i];
    const RankKey& worse = rises ? rows[i] : rows[i - 1];
    if (better.rank > 0 && better.rank != worse.rank &&
        ranking_score(better, kind) < ranking_score(worse, kind))
      ++count;
  }
  return count;
}

InfluenceKind kind_by_ranks(const std::vector<RankKey>& rows) {
  return contradictions(rows, InfluenceKind::kAbsolute) <
                 contradictions(rows, InfluenceKind::kRelative)
             ? InfluenceKind::kAbsolute
             : InfluenceKind::kRelative;
}

}  // namespace

double ranking_score(const RankKey& key, InfluenceKind kind) {
  return kind == InfluenceKind::kRelative ? key.influence : key.divergence;
}

bool ranks_before(const RankKey& a, const RankKey& b, InfluenceKind kind) {
  const double score_a = ranking_score(a, kind), score_b = ranking_score(b, kind);
  if (score_a != score_b) return score_a > score_b;
  return std::pair(a.line, a.trace) < std::pair(b.line, b.trace);
}

bool are_unranked(const std::vector<RankKey>& rows) {
  return std::ranges::none_of(rows, [](const RankKey& row) { return row.rank > 0; });
}

std::vector<int64_t> joined_ranks(const std::vector<RankKey>& rows,
                                  std::optional<InfluenceKind> kind) {
  const bool none_is_ranked = are_unranked(rows);
  if (!none_is_ranked && !some_rank_occurs_twice(rows)) return {};
  const InfluenceKind ranking_kind = kind ? *kind : kind_by_ranks(rows);
  std::vector<size_t> order;
  order.reserve(rows.size());
  for (size_t i = 0; i < rows.size(); ++i)
    if (none_is_ranked || rows[i].rank > 0) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return ranks_before(rows[a], rows[b], ranking_kind);
  });
  std::vector<int64_t> ranks(rows.size());
  for (size_t i = 0; i < order.size(); ++i) ranks[order[i]] = static_cast<int64_t>(i) + 1;
  return ranks;
}

std::vector<double> average_ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t last = first;
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (size_t i = first; i < last; ++i)
      ranks[order[i]] = 0.5 * static_cast<double>(first + 1 + last);
    first = last;
  }
  return ranks;
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  AIR_CHECK(a.size() == b.size());
  if (a.size() < 2) return 0;
  const std::vector<double> x = average_ranks(a);
  const std::vector<double> y = average_ranks(b);
  const double center = 0.5 * static_cast<double>(a.size() + 1);
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - center) * (y[i] - center);
    xx += (x[i] - center) * (x[i] - center);
    yy += (y[i] - center) * (y[i] - center);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

}  // namespace air
