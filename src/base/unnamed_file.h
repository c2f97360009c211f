// A temporary file that has no name.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// A file for reading and writing that has no name: it is gone when it is closed.
/// @param folder where it takes its room; empty: in TMPDIR (else /tmp).   @throws Error(kResource).
int open_unnamed_file(const std::string& folder = "");

/// Writes to the end of a file by large pieces.
class Spool {
 public:
  /// @param fd of open_unnamed_file(); the caller closes it.
  explicit Spool(int fd) : fd_(fd) {}
  /// @throws Error(kResource) when the disk is full.
  void write(std::string_view bytes);
  /// Writes what write() has kept back.
  void flush();

 private:
  int fd_;
  std::string buffer_;
};

}  // namespace air
