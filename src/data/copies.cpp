#include "data/copies.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace air {

namespace {

/// Equal runs of tokens have equal names, different ones different names.
using Names = std::vector<int32_t>;

/// Names of the pairs (names[i], names[i + distance]): of runs that are longer.
Names names_of_pairs(const Names& names, size_t distance) {
  const auto pair = [&](size_t i) { return std::pair(names[i], names[i + distance]); };
  std::vector<size_t> order(names.size() - distance);
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, pair);
  Names longer(order.size());
  int32_t name = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && pair(order[i]) != pair(order[i - 1])) ++name;
    longer[order[i]] = name;
  }
  return longer;
}

}  // namespace

std::vector<bool> copied_tokens(std::span<const int32_t> ids, int64_t context) {
  AIR_CHECK(context >= 1);
  std::vector<bool> copied(ids.size(), false);
  // A second run must begin after the first.
  if (context + 1 >= static_cast<int64_t>(ids.size())) return copied;
  const size_t length = static_cast<size_t>(context) + 1;
  // Names of runs of 1, 2, 4, … tokens; the last step lets two of them overlap.
  Names names(ids.begin(), ids.end());
  const size_t largest = std::bit_floor(length);
  for (size_t size = 1; size < largest; size *= 2) names = names_of_pairs(names, size);
  if (largest < length) names = names_of_pairs(names, length - largest);
  std::vector<bool> seen(ids.size(), false);
  for (size_t begin = 0; begin < names.size(); ++begin) {
    const auto name = static_cast<size_t>(names[begin]);
    copied[begin + length - 1] = seen[name];
    seen[name] = true;
  }
  return copied;
}

}  // namespace air
