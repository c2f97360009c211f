// Outputs that are never half-written: a file appears whole or not at all; "-" is standard output.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace air {

/// Writes to PATH.tmp.<pid> and renames it to PATH on commit(); uncommitted output leaves nothing
/// behind. Every write and the close are checked. "-" writes to standard output as it comes.
class OutputFile {
 public:
  /// @throws Error(kResource) when the file can't be made.
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// @throws Error(kResource) when the disk is full or the write fails; ClosedPipe when standard
  ///   output was closed.
  void write(std::string_view bytes);
  /// Flushes, closes and renames. Nothing may be written after.
  void commit();

 private:
  void flush();
  std::string path_;
  std::string temporary_;
  std::string buffer_;
  int fd_ = -1;
  bool owns_fd_ = false;
};

/// Devices and pipes (/dev/null, /dev/full, a FIFO) can't be replaced by a rename, and nothing is
/// put beside them.
bool is_special_file(const std::string& path);

/// Where unfinished work for an output is kept: OUT.partial; empty where nothing is put on disk
/// ("-", devices, pipes).
std::string partial_path(const std::string& output);

/// Writes a whole file (or standard output) in one go.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace air
