#include "scored/eighths.h"

#include <algorithm>

namespace air {

std::vector<int> eighths(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> all;
  all.reserve(values.size());
  for (const double value : values) {
    const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), value);
    const auto middle = static_cast<double>((low - sorted.begin()) + (high - sorted.begin())) / 2;
    all.push_back(std::min(7, static_cast<int>(8 * middle / static_cast<double>(sorted.size()))));
  }
  return all;
}

}  // namespace air
