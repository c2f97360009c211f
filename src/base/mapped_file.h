// A file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "base/error.h"

namespace air {

/// Maps a whole regular file; the view lives as long as the object.
class MappedFile {
 public:
  /// @throws Error(kind) when the file is missing or can't be mapped.
  MappedFile(const std::filesystem::path& path, ErrorKind kind);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view view() const { return {data_, size_}; }
  /// Gives the whole pages within a part of view() back to the system; a later read maps them
  /// again.
  void forget(std::string_view part) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace air
