// Finished work, kept on disk line by line until the output is written (OUT.partial).
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace air {

/// What a journal holds, and how its messages speak of it.
struct JournalKind {
  const char* schema;    ///< "air.partial/1"
  const char* contents;  ///< "scores"
  /// How another run differs, where its keys say nothing to a user; null: the first key that does.
  const char* other_run = nullptr;
};

/// An append-only file: a line that says which run it belongs to, then lines of that run, each
/// after its CRC-32. It is locked, so that a second run on the same output is refused; with no path
/// it is a temporary file without a name.
class Journal {
 public:
  /// Sees a line that an interrupted run left, and its place; false: it says nothing. Damaged lines
  /// are left out, with a warning.
  using Visit = std::function<bool(std::string_view line, int64_t offset)>;

  /// @param path "OUT.partial"; empty: a file that vanishes with the program.
  /// @param run what decides the work (model, options, inputs); an object.
  /// @param resume continue what a run of the same kind left behind: `visit` sees its lines. A torn
  ///   last line is dropped.
  /// @throws Error(kUsage) when there is something to continue and `resume` is not set, when it
  ///   belongs to another run (naming the first key that differs), or when the file is not a
  ///   journal of this kind or a link: it stays as it is. Error(kResource) when another process
  ///   holds it or it can't be written.
  Journal(std::string path, const JournalKind& kind, const Json& run, bool resume,
          const Visit& visit);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Appends lines, given without their '\n', in one write. @return where each begins.
  std::vector<int64_t> append(const std::vector<std::string>& lines);
  /// A line that `append` or `visit` told the place of.
  /// @throws Error(kResource) when the file became shorter, or the line was changed meanwhile.
  std::string read(int64_t offset, int64_t length) const;
  /// Deletes the file: the run is complete.
  void remove();

  /// The run that the journal at `path` says it belongs to; none when there is no journal.
  static std::optional<Json> run_of(const std::string& path);

 private:
  struct stat open_locked();
  void start();
  void lock() const;
  void recover(const Json& run, const Visit& visit);
  [[noreturn]] void throw_foreign() const;
  [[noreturn]] void throw_changed(const char* how) const;
  void write_all(std::string_view bytes);

  std::string path_;
  JournalKind kind_;
  std::string header_;  // with its '\n'
  int64_t header_size_ = 0;
  int fd_ = -1;
  int64_t size_ = 0;
  std::chrono::steady_clock::time_point last_sync_ = {};
};

}  // namespace air
