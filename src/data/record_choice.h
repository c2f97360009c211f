// Which records of the inputs are looked at: all, the first ones, or some drawn at random.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace air {

/// Records are counted over all inputs, before any shard: the shards of a choice share it.
struct RecordChoice {
  int64_t limit = std::numeric_limits<int64_t>::max();  ///< so many, from the first
  /// Numbers of the lines, from 1, ascending; null: every line.
  std::shared_ptr<const std::vector<int64_t>> lines;
};

/// `count` records of the inputs, each set of so many as likely as any other; all where there are
/// no more. Reads the inputs once, and keeps `count` numbers.
/// @throws Error(kInput) when an input can't be read.
RecordChoice draw_records(const std::vector<std::string>& inputs, int64_t count, uint64_t seed);

}  // namespace air
