// Finds in the work of an interrupted run the batches that need not be scored again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "score/partial_file.h"

namespace air {

/// The place of a trace in the inputs.
struct TracePlace {
  int64_t line;
  int64_t trace;
};

/// Walks through the entries that a PartialFile recovered. The same input gives the same batches in
/// the same order, so the entries are in that order too.
class ResumeCursor {
 public:
  explicit ResumeCursor(PartialFile& partial)
      : partial_(partial), num_recovered_(partial.entries().size()) {}

  /// The entries of this batch if the interrupted run finished it. If not, the rest of what it left
  /// is dropped, and all later batches are to be scored.
  /// @throws Error(kUsage) that names no place when it finished other traces at this place.
  std::optional<std::span<const ScoredEntry>> take(std::span<const TracePlace> batch);
  /// True until the last recovered entry was taken or dropped.
  bool has_more() const { return next_ < num_recovered_; }

 private:
  PartialFile& partial_;
  size_t num_recovered_;
  size_t next_ = 0;
};

}  // namespace air
