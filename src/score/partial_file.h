// Finished scores, kept on disk batch by batch until the ranked output is written (OUT.partial).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal.h"
#include "base/json.h"
#include "scored/ranking.h"

namespace air {

/// What is kept in memory of a scored trace: where its line lies, and what ranking and statistics
/// need.
struct ScoredEntry : RankKey {
  int64_t offset = 0;  ///< of its line in the file
  int64_t length = 0;  ///< bytes, without the '\n'
  double base_nll = 0;
  int64_t num_tokens = 0;  ///< of the response
  bool skipped = false;    ///< not scored: its place in the order of batches is kept, so that
                           ///< --resume finds its way
  bool dropped = false;    ///< what an interrupted run left and this one can't use
};

/// A journal of scored lines without ranks, a line a trace, and its index.
class PartialFile {
 public:
  /// @param path "OUT.partial"; empty: a temporary file that vanishes with the program.
  /// @param run what decides the scores (model, heads, options, inputs).
  /// @param resume continue what a run of the same kind left behind.
  /// @throws Error as Journal does.
  PartialFile(std::string path, const Json& run, bool resume);

  /// Appends the lines of a finished batch in one write. Offsets and lengths of the entries are
  /// filled in.
  void append(std::vector<ScoredEntry> entries, const std::vector<std::string>& lines);
  /// Marks an entry as dropped. Its line stays in the file: a later line of the same trace counts.
  void drop(size_t index);
  const std::vector<ScoredEntry>& entries() const { return entries_; }
  size_t num_kept() const { return entries_.size() - num_dropped_; }
  std::string read_line(const ScoredEntry& entry) const;
  /// Deletes the file: the run is complete.
  void remove() { journal_.remove(); }

 private:
  bool add_recovered(std::string_view line, int64_t offset);

  std::vector<ScoredEntry> entries_;
  size_t num_dropped_ = 0;
  Journal journal_;
};

/// Reads what the index needs out of a scored line or one of line_of_skipped; none when the line is
/// damaged.
std::optional<ScoredEntry> entry_of_line(std::string_view scored_line);

/// The line that stands for a trace that was left out. `record` is the line it is of.
std::string line_of_skipped(const ScoredEntry& entry, std::string_view record);

/// True for a line of this very record: a scored one, or one of line_of_skipped.
bool is_of_record(std::string_view kept_line, std::string_view record);

}  // namespace air
