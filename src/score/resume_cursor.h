// Finds in the work of an interrupted run the batches that need not be scored again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "score/partial_file.h"

namespace air {

/// A trace of the inputs: its place, and the record that it is of.
struct TracePlace {
  int64_t line;
  int64_t trace;
  std::string_view record;
};

/// Matches the batches of this run with the entries that a PartialFile recovered. The same input
/// gives the same batches; a batch of which any line is missing, damaged or of another record is
/// scored anew.
class ResumeCursor {
 public:
  explicit ResumeCursor(PartialFile& partial);

  /// The entries of this batch if the interrupted run scored all of it. If not, those that it has
  /// of them are dropped.
  std::optional<std::vector<ScoredEntry>> take(std::span<const TracePlace> batch);
  /// Drops what no batch took: traces that the inputs no longer hold.
  void drop_rest();
  /// True until the last recovered entry was taken or dropped.
  bool has_more() const { return num_left_ > 0; }
  /// Entries of records that have changed since they were scored.
  int64_t num_changed() const { return num_changed_; }

 private:
  struct Waiting {
    int64_t line;
    int64_t trace;
    size_t index;  ///< among the entries of the file
    bool is_taken = false;
  };
  Waiting* find(const TracePlace& place);

  PartialFile& partial_;
  std::vector<Waiting> waiting_;  // by place
  size_t num_left_ = 0;
  int64_t num_changed_ = 0;
};

}  // namespace air
