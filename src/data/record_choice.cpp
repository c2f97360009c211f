#include "data/record_choice.h"

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "data/record_reader.h"

namespace air {

RecordChoice draw_records(const std::vector<std::string>& inputs, int64_t count, uint64_t seed) {
  std::vector<int64_t> drawn;  // a reservoir: each record so far is in it with the same chance
  Rng rng(seed);
  int64_t num_seen = 0;
  for (RecordReader reader(inputs, Shard{}); reader.next();) {
    ++num_seen;
    if (static_cast<int64_t>(drawn.size()) < count) {
      drawn.push_back(reader.line());
      continue;
    }
    const auto place = static_cast<int64_t>(rng.below(static_cast<uint64_t>(num_seen)));
    if (place < count) drawn[static_cast<size_t>(place)] = reader.line();
  }
  std::ranges::sort(drawn);
  return {.lines = std::make_shared<const std::vector<int64_t>>(std::move(drawn))};
}

}  // namespace air
