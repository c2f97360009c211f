// Outputs that are never half-written: a file appears whole or not at all; "-" is standard output.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace air {

/// Whether an output without a single byte may take the place of an older file that has some.
enum class EmptyOutput { kKeepsOlder, kReplacesOlder };

/// Writes to a file without a name, gives it one on commit() and renames that to PATH: uncommitted
/// output leaves nothing after it, not even when the program is killed. Where the file system has
/// no unnamed files, it is PATH.tmp.<random> from the start, which must not exist. An older
/// file's permissions are kept. Every write and the close are checked. "-" writes to standard
/// output as it comes. A symbolic link stays one: the file that it names is replaced.
class OutputFile {
 public:
  /// @throws Error(kResource) when the file can't be made.
  explicit OutputFile(const std::string& path, EmptyOutput empty = EmptyOutput::kKeepsOlder);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// @throws Error(kResource) when the disk is full or the write fails; ClosedPipe when standard
  ///   output was closed.
  void write(std::string_view bytes);
  /// What was written so far reaches its reader.   @throws as write() does.
  void flush();
  /// Flushes, closes and renames. Nothing may be written after.
  /// @throws Error(kResource); Error(kInput) when nothing was written and an older file stays.
  void commit();

 private:
  void open_beside();
  void keep_mode() const;
  void name_it();
  void keep_older() const;
  std::string path_;
  std::string temporary_;  // its name until commit(); empty: it has none
  bool in_place_ = true;   // nothing is renamed
  std::string buffer_;
  int fd_ = -1;
  bool owns_fd_ = false;
  bool is_empty_ = true;
  EmptyOutput empty_;
};

/// Devices, pipes and open descriptors (/dev/null, a FIFO, /dev/stdout, /dev/fd/5) can't be
/// replaced by a rename, and nothing is put beside them.
bool is_special_file(const std::string& path);

/// Where unfinished work for an output is kept: OUT.partial; empty where nothing is put on disk
/// ("-", devices, pipes).
std::string partial_path(const std::string& output);

/// Writes a whole file (or standard output) in one go.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace air
