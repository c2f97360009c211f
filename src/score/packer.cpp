#include "air/score/packer.h"

#include <algorithm>
#include <numeric>

#include "air/base/error.h"

namespace air {

std::vector<std::vector<size_t>> pack_batches(std::span<const int64_t> lengths, int64_t max_batch_tokens) {
  AIR_CHECK(max_batch_tokens > 0);
  std::vector<size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<size_t>> batches;
  int64_t used = 0;
  for (const size_t index : order) {
    if (batches.empty() || used + lengths[index] > max_batch_tokens) {
      batches.emplace_back();
      used = 0;
    }
    batches.back().push_back(index);
    used += lengths[index];
  }
  return batches;
}

}  // namespace air
