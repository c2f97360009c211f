// Finished scores, kept on disk batch by batch until the ranked output is written (OUT.partial).
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace air {

/// What is kept in memory of a scored trace: where its line lies, and what ranking and statistics
/// need.
struct ScoredEntry {
  int64_t offset = 0;  ///< of its line in the file
  int64_t length = 0;  ///< bytes, without the '\n'
  int64_t line = 0;    ///< input line, from 1
  int64_t trace = 0;   ///< which trace of the record, from 0
  double influence = 0, divergence = 0, base_nll = 0, entropy = 0;
  int64_t num_tokens = 0;  ///< of the response
  bool skipped = false;    ///< not scored: its place in the order of batches is kept, so that
                           ///< --resume finds its way
};

/// An append-only file: a line that says which run it belongs to, then a scored line a trace,
/// without ranks. It is locked, so that a second run on the same output is refused; with no path it
/// is a nameless temporary file.
class PartialFile {
 public:
  /// @param path "OUT.partial"; empty: a temporary file that vanishes with the program.
  /// @param run what decides the scores (model, heads, options, inputs).
  /// @param resume go on with what a run of the same kind left behind.
  /// @throws Error(kUsage) when there is something to go on with and `resume` is not set, or when
  ///   it belongs to another
  ///         run (naming the difference); Error(kResource) when another process holds it or it
  ///         can't be written.
  PartialFile(std::string path, const Json& run, bool resume);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  /// Appends the lines of a finished batch in one write. Offsets and lengths of the entries are
  /// filled in.
  void append(std::vector<ScoredEntry> entries, const std::vector<std::string>& lines);
  /// Forgets all entries from `count` on: a batch that a killed run did not finish.
  void keep_first(size_t count);
  const std::vector<ScoredEntry>& entries() const { return entries_; }
  std::string read_line(const ScoredEntry& entry) const;
  /// Deletes the file: the run is complete.
  void remove();

 private:
  struct stat open_locked();
  void start(const Json& run);
  void recover(const Json& run);
  void write_all(std::string_view bytes);
  std::string path_;
  int fd_ = -1;
  int64_t size_ = 0;
  std::chrono::steady_clock::time_point last_sync_ = {};
  std::vector<ScoredEntry> entries_;
};

/// The run that an unfinished file says it belongs to; none when there is no such file.
std::optional<Json> unfinished_run(const std::string& path);

/// Reads what the index needs out of a scored line or one of line_of_skipped; none when the line is
/// damaged.
std::optional<ScoredEntry> entry_of_line(std::string_view scored_line);

/// The line that stands for a trace that was left out.
std::string line_of_skipped(const ScoredEntry& entry);

}  // namespace air
