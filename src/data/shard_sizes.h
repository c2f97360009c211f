// Which shard a line belongs to when shards are to have the same size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace air {

/// Each line goes to the shard that has the fewest bytes so far, the first of several: whoever
/// reads the same lines finds the same shards. No shard exceeds the mean by more than the longest
/// line.
class ShardSizes {
 public:
  explicit ShardSizes(int64_t count) {
    for (int64_t i = 0; i < count; ++i) shards_.push({0, i});
  }

  /// The shard of the next line.
  int64_t add(size_t bytes) {
    auto [size, index] = shards_.top();
    shards_.pop();
    shards_.push({size + static_cast<int64_t>(bytes), index});
    return index;
  }

 private:
  using SizeAndIndex = std::pair<int64_t, int64_t>;
  std::priority_queue<SizeAndIndex, std::vector<SizeAndIndex>, std::greater<>> shards_;
};

}  // namespace air
