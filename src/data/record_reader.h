// The records of several inputs, one after another, each with its place.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/line_reader.h"
#include "data/record_choice.h"
#include "data/shard_sizes.h"
#include "data/trace_record.h"

namespace air {

/// What makes shards equal.
enum class ShardBy {
  kLines,  ///< of N shards, shard I has the lines whose number (from 0) is I modulo N
  kSize,   ///< each line goes to the shard that has the fewest bytes before it (shard_sizes.h)
};

/// `--shard I/N`: the lines of one of N processes that know nothing of each other.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
  ShardBy by = ShardBy::kLines;

  /// Reads "I/N", 0 ≤ I < N. @throws Error(kUsage) that names no place.
  static Shard parse(const std::string& text);
  /// "I/N".
  std::string text() const { return std::to_string(index) + "/" + std::to_string(count); }
};

/// Reads line by line; lines of white space alone are passed over, but counted.
class RecordReader {
 public:
  /// @param inputs files, "-" for standard input.   @param stop ends a next() that waits for a
  /// pipe: it throws Interrupted.
  RecordReader(std::vector<std::string> inputs, Shard shard, RecordChoice choice = {},
               std::stop_token stop = {});

  /// Goes to the next chosen line of the shard; false after the last one. @throws Error(kInput)
  /// when an input can't be read.
  bool next();

  /// The line's bytes, valid until the next call of next().
  std::string_view text() const { return text_; }
  /// Number of the line over all inputs, from 1.
  int64_t line() const { return line_; }
  /// "traces.jsonl:17".
  std::string where() const { return reader_->where(); }

 private:
  std::vector<std::string> inputs_;
  bool is_mine();
  bool is_chosen();
  Shard shard_;
  RecordChoice choice_;
  int64_t num_chosen_ = 0;  // of all shards
  ShardSizes sizes_;        // by size only
  std::stop_token stop_;
  size_t next_input_ = 0;
  std::unique_ptr<LineReader> reader_;
  std::string_view text_;
  int64_t line_ = 0;
};

}  // namespace air
