#include "find_heads/stability.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "base/rng.h"

namespace air {
namespace {

std::vector<size_t> answered_probes(const std::vector<ProbeResult>& results) {
  std::vector<size_t> answered;
  for (size_t i = 0; i < results.size(); ++i)
    if (results[i].answered()) answered.push_back(i);
  return answered;
}

/// The critical set of some of the probes.
HeadSet critical_set_of(const std::vector<ProbeResult>& results, const std::vector<size_t>& chosen,
                        int64_t count) {
  HeadScores sum(results[chosen.front()].scores.grid());
  for (const size_t i : chosen) sum.add(results[i].scores);
  return critical_set(sum, count);
}

/// Means of `num_draws` resamples of the probes.
std::vector<HeadScores> resampled_means(const std::vector<ProbeResult>& results,
                                        const std::vector<size_t>& answered, int64_t num_draws,
                                        uint64_t seed) {
  Rng rng(seed);
  std::vector<HeadScores> means;
  for (int64_t draw = 0; draw < num_draws; ++draw) {
    std::vector<int64_t> times(answered.size());
    for (size_t i = 0; i < answered.size(); ++i) ++times[rng.below(answered.size())];
    HeadScores mean(results[answered.front()].scores.grid());
    for (size_t i = 0; i < answered.size(); ++i) {
      if (times[i] == 0) continue;
      mean.add(results[answered[i]].scores,
               static_cast<double>(times[i]) / static_cast<double>(answered.size()));
    }
    means.push_back(std::move(mean));
  }
  return means;
}

/// Splits the probes into two halves, cell by cell of the grid; odd ones out go to either half in
/// turn.
std::pair<std::vector<size_t>, std::vector<size_t>> split_by_cell(
    const std::vector<Probe>& probes, const std::vector<size_t>& answered, Rng& rng) {
  std::map<std::tuple<std::string, int64_t, int64_t>, std::vector<size_t>> cells;
  for (const size_t i : answered)
    cells[{probes[i].kind, probes[i].length, probes[i].wording}].push_back(i);
  std::pair<std::vector<size_t>, std::vector<size_t>> halves;
  bool to_first = rng.below(2) == 1;
  for (auto& [cell, members] : cells) {
    rng.shuffle(members);
    for (const size_t i : members) {
      (to_first ? halves.first : halves.second).push_back(i);
      to_first = !to_first;
    }
  }
  return halves;
}

}  // namespace

double jaccard(const HeadSet& a, const HeadSet& b) {
  const auto common = static_cast<double>(std::count_if(a.begin(), a.end(), [&](Head head) {
    return std::find(b.begin(), b.end(), head) != b.end();
  }));
  const double united = static_cast<double>(a.size() + b.size()) - common;
  return united == 0 ? 1 : common / united;
}

Bootstrap bootstrap_scores(const std::vector<ProbeResult>& results, int64_t count, uint64_t seed) {
  Bootstrap bootstrap{.num_draws = 1000, .level = 0.95, .low = {}, .high = {}, .critical = {}};
  const std::vector<size_t> answered = answered_probes(results);
  if (answered.empty()) return bootstrap;
  const size_t num_draws = bootstrap.num_draws;
  const std::vector<HeadScores> means =
      resampled_means(results, answered, bootstrap.num_draws, seed);
  const HeadGrid& grid = means.front().grid();
  bootstrap.low = bootstrap.high = bootstrap.critical = HeadScores(grid);
  for (const HeadScores& mean : means)
    for (const Head head : critical_set(mean, count)) bootstrap.critical[head] += 1;
  bootstrap.critical.divide(static_cast<double>(num_draws));
  const auto tail = static_cast<size_t>((1 - bootstrap.level) / 2 * static_cast<double>(num_draws));
  std::vector<double> values(num_draws);
  for (const Head head : grid.all_heads()) {
    for (size_t draw = 0; draw < num_draws; ++draw) values[draw] = means[draw][head];
    std::sort(values.begin(), values.end());
    // The sums of a mean that is 0 or 1 may miss it by a rounding.
    bootstrap.low[head] = std::clamp(values[tail], 0.0, 1.0);
    bootstrap.high[head] = std::clamp(values[num_draws - 1 - tail], 0.0, 1.0);
  }
  return bootstrap;
}

double split_half_jaccard(const std::vector<Probe>& probes, const std::vector<ProbeResult>& results,
                          int64_t count, uint64_t seed) {
  constexpr int kSplits = 100;
  const std::vector<size_t> answered = answered_probes(results);
  if (answered.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  Rng rng(seed);
  double sum = 0;
  for (int split = 0; split < kSplits; ++split) {
    const auto [first, second] = split_by_cell(probes, answered, rng);
    sum += jaccard(critical_set_of(results, first, count), critical_set_of(results, second, count));
  }
  return sum / kSplits;
}

std::vector<PartOverlap> part_overlaps(const std::vector<Probe>& probes,
                                       const std::vector<ProbeResult>& results, int64_t count,
                                       const std::function<std::string(const Probe&)>& part_of) {
  std::vector<std::pair<std::string, std::vector<size_t>>> parts;  // in order of first appearance
  for (const size_t i : answered_probes(results)) {
    const std::string name = part_of(probes[i]);
    auto part = std::find_if(parts.begin(), parts.end(),
                             [&](const auto& known) { return known.first == name; });
    if (part == parts.end()) part = parts.insert(parts.end(), {name, {}});
    part->second.push_back(i);
  }
  std::vector<PartOverlap> overlaps;
  for (size_t a = 0; a < parts.size(); ++a) {
    for (size_t b = a + 1; b < parts.size(); ++b) {
      const HeadSet set_a = critical_set_of(results, parts[a].second, count);
      const HeadSet set_b = critical_set_of(results, parts[b].second, count);
      overlaps.push_back({parts[a].first, parts[b].first, jaccard(set_a, set_b)});
    }
  }
  return overlaps;
}

}  // namespace air
