// The grid of context lengths × needle depths, and how many probes each length gets.
#pragma once

#include <cstdint>
#include <vector>

namespace air {

/// What `--num-probes --lengths --depths --seed` say.
struct ProbeGrid {
  int64_t num_probes = 0;
  std::vector<int64_t> lengths;  ///< tokens of a whole probe, gold answer included
  std::vector<double> depths;    ///< 0 (start of the haystack) to 1 (its end)
  uint64_t seed = 0;
};

/// A probe's place in the grid.
struct GridPoint {
  int64_t length = 0;
  double depth = 0;
};

/// Probes for each length. Every length gets the same share of the tokens, so the short ones get
/// more probes: that is where a second of compute takes most noise out of the ranking. Each gets at
/// least one; they sum to max(num_probes, #lengths).
std::vector<int64_t> probes_per_length(const ProbeGrid& grid);

/// Length by length; the depths in turn.
std::vector<GridPoint> grid_points(const ProbeGrid& grid);

}  // namespace air
