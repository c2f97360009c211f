// How sure the ranking is: bootstrap intervals of the scores, and how far parts of the probes agree
// on the critical set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "find_heads/measure_probe.h"
#include "find_heads/probe.h"
#include "heads/head_ranking.h"
#include "heads/head_set.h"

namespace air {

/// |a ∩ b| / |a ∪ b|; 1 for two empty sets.
double jaccard(const HeadSet& a, const HeadSet& b);

/// Percentile bootstrap (Efron 1979) over the answered probes.
struct Bootstrap {
  int64_t num_draws = 0;
  double level = 0;  ///< 0.95: the interval from the 2.5 % to the 97.5 % quantile
  HeadScores low, high;
  HeadScores critical;  ///< share of the draws in which a head belongs to the critical set
};
Bootstrap bootstrap_scores(const std::vector<ProbeResult>& results, int64_t count, uint64_t seed);

/// Mean Jaccard overlap of the critical sets of two halves of the answered probes, over many random
/// splits. Each cell of kind × length × wording is halved alike: what differs between the halves is
/// the luck of the draw, not the grid.
/// @return NaN with fewer than 2 answered probes.
double split_half_jaccard(const std::vector<Probe>& probes, const std::vector<ProbeResult>& results,
                          int64_t count, uint64_t seed);

/// Overlap of two parts of the probes.
struct PartOverlap {
  std::string a, b;
  double jaccard = 0;
};

/// Overlaps of the critical sets between each two parts that `part_of` tells apart; parts without
/// an answered probe are left out.
std::vector<PartOverlap> part_overlaps(const std::vector<Probe>& probes,
                                       const std::vector<ProbeResult>& results, int64_t count,
                                       const std::function<std::string(const Probe&)>& part_of);

}  // namespace air
