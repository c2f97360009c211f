#include "scored/ranking.h"

#include <algorithm>
#include <tuple>

#include "data/record_value.h"
#include "scored/scored_line.h"

namespace air {
namespace {

bool some_rank_occurs_twice(const std::vector<RankedRow>& rows) {
  std::vector<int64_t> ranks;
  ranks.reserve(rows.size());
  for (const RankedRow& row : rows)
    if (row.rank > 0) ranks.push_back(row.rank);
  std::sort(ranks.begin(), ranks.end());
  return std::adjacent_find(ranks.begin(), ranks.end()) != ranks.end();
}

/// Neighbouring rows whose written ranks contradict the score. Rows of two shards meet once a
/// shard, so that the wrong score shows by far more of them.
size_t contradictions(const std::vector<RankedRow>& rows, double RankedRow::*score) {
  size_t count = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const bool rises = rows[i - 1].rank < rows[i].rank;
    const RankedRow& better = rises ? rows[i - 1] : rows[i];
    const RankedRow& worse = rises ? rows[i] : rows[i - 1];
    if (better.rank > 0 && better.rank != worse.rank && better.*score < worse.*score) ++count;
  }
  return count;
}

}  // namespace

std::vector<int64_t> joined_ranks(const std::vector<RankedRow>& rows,
                                  std::optional<InfluenceKind> ranked_by) {
  if (!some_rank_occurs_twice(rows)) return {};
  const bool by_divergence = ranked_by ? *ranked_by == InfluenceKind::kAbsolute
                                       : contradictions(rows, &RankedRow::divergence) <
                                             contradictions(rows, &RankedRow::influence);
  const auto score = by_divergence ? &RankedRow::divergence : &RankedRow::influence;
  std::vector<size_t> order;
  order.reserve(rows.size());
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i].rank > 0) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (rows[a].*score != rows[b].*score) return rows[a].*score > rows[b].*score;
    return std::tuple(rows[a].line, rows[a].trace, a) < std::tuple(rows[b].line, rows[b].trace, b);
  });
  std::vector<int64_t> ranks(rows.size());
  for (size_t i = 0; i < order.size(); ++i) ranks[order[i]] = static_cast<int64_t>(i) + 1;
  return ranks;
}

std::string with_other_rank(std::string_view line, int64_t rank, const std::string& where) {
  const std::string_view air = air_value_of(line, where);
  const auto at = static_cast<size_t>(air.data() - line.data());
  const RecordValue object = parse_record_line(air, where);
  // Of a repeated key the last one counts, as in most JSON readers.
  const auto found = std::find_if(object.members.rbegin(), object.members.rend(),
                                  [](const auto& entry) { return entry.name == "rank"; });
  if (found == object.members.rend() || !found->value.is_number()) return std::string(line);
  std::string out(line.substr(0, at + found->value.begin));
  out += std::to_string(rank);
  out += line.substr(at + found->value.end);
  return out;
}

}  // namespace air
