#include "find_heads/probe_grid.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace air {

std::vector<int64_t> probes_per_length(const ProbeGrid& grid) {
  const size_t num_lengths = grid.lengths.size();
  double total_weight = 0;
  for (const int64_t length : grid.lengths) total_weight += 1.0 / static_cast<double>(length);

  std::vector<int64_t> counts(num_lengths);
  std::vector<double> missing(num_lengths);  // what rounding down took away
  for (size_t i = 0; i < num_lengths; ++i) {
    const double share =
        static_cast<double>(grid.num_probes) / static_cast<double>(grid.lengths[i]) / total_weight;
    counts[i] = std::max<int64_t>(1, static_cast<int64_t>(std::floor(share)));
    missing[i] = share - static_cast<double>(counts[i]);
  }
  // The largest remainders get what is left; the greatest counts give back what the "at least one"
  // took.
  int64_t left = grid.num_probes - std::accumulate(counts.begin(), counts.end(), int64_t{0});
  for (; left > 0; --left) {
    const size_t next =
        static_cast<size_t>(std::max_element(missing.begin(), missing.end()) - missing.begin());
    ++counts[next];
    missing[next] -= 1;
  }
  for (; left < 0; ++left) {
    const auto greatest = std::max_element(counts.begin(), counts.end());
    if (*greatest == 1) break;
    --*greatest;
  }
  return counts;
}

std::vector<GridPoint> grid_points(const ProbeGrid& grid) {
  const std::vector<int64_t> counts = probes_per_length(grid);
  const auto num_depths = static_cast<int64_t>(grid.depths.size());
  std::vector<GridPoint> points;
  for (size_t i = 0; i < grid.lengths.size(); ++i) {
    for (int64_t probe = 0; probe < counts[i]; ++probe) {
      // Fewer probes than depths: spread over them.
      const int64_t depth =
          counts[i] < num_depths ? probe * num_depths / counts[i] : probe % num_depths;
      points.push_back({grid.lengths[i], grid.depths[static_cast<size_t>(depth)]});
    }
  }
  return points;
}

}  // namespace air
