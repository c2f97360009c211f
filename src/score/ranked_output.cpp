#include "score/ranked_output.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "data/record_output.h"
#include "scored/ranking.h"
#include "scored/scored_line.h"
#include "scored/scored_numbers.h"

namespace air {

void write_ranked(std::span<const PartialFile* const> partials, const RankedOutputOptions& options,
                  RunResults& results) {
  struct Place {
    const PartialFile* file;
    const ScoredEntry* entry;
    int64_t rank;
  };
  std::vector<Place> places;
  for (const PartialFile* file : partials)
    for (const ScoredEntry& entry : file->entries())
      if (!entry.skipped && !entry.dropped) places.push_back({file, &entry, 0});
  results.num_traces = static_cast<int64_t>(places.size());
  std::ranges::sort(places, [&](const Place& a, const Place& b) {
    return ranks_before(*a.entry, *b.entry, options.influence);
  });
  for (size_t i = 0; i < places.size(); ++i) places[i].rank = static_cast<int64_t>(i) + 1;
  if (!options.rank_order)
    std::ranges::sort(places, {}, [](const Place& place) {
      return std::pair(place.entry->line, place.entry->trace);
    });

  RecordOutput output(options.path);
  const int64_t num_top = TopRepetition::size_of(results.num_traces);
  for (const Place& place : places) {
    const std::string line = set_rank(place.file->read_line(*place.entry), place.rank);
    output.write(line + "\n");
    if (place.rank <= num_top)
      results.top_repetition.add(
          require_number(read_scored_numbers(air_value_of(line)), "repetition"));
  }
  output.commit();

  std::vector<double> scores, base_nll, num_tokens;
  for (const Place& place : places) {
    scores.push_back(ranking_score(*place.entry, options.influence));
    base_nll.push_back(place.entry->base_nll);
    num_tokens.push_back(static_cast<double>(place.entry->num_tokens));
  }
  results.correlation_base_nll = rank_correlation(scores, base_nll);
  results.correlation_num_tokens = rank_correlation(scores, num_tokens);
}

}  // namespace air
