// The safetensors format: named tensors in a mapped file, every claim of the header checked before
// use.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"

namespace air {

/// One file. Opening it checks the whole header: length, JSON, duplicate names, dtypes, shapes
/// against byte ranges, overlaps, holes, and that the ranges end where the file ends.
class SafetensorsFile {
 public:
  struct Entry {
    std::string dtype;  ///< as written: "BF16", "F32", …
    std::vector<int64_t> shape;
    uint64_t begin, end;  ///< bytes in the data section
  };

  /// @throws Error(kModel) that says what is wrong with the file.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  /// A view of the mapped bytes (read-only, valid while the file lives). @throws Error(kModel) for
  /// a dtype that air does not read.
  at::Tensor tensor(const std::string& name) const;
  /// The raw bytes of a tensor.
  std::string_view bytes(const std::string& name) const;
  /// Gives the pages of a tensor back to the system; they are read again when they are used again.
  void release_pages(const std::string& name) const { file_.forget(bytes(name)); }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  MappedFile file_;
  std::string_view header_;
  std::string_view data_;
  std::map<std::string, Entry> entries_;
};

}  // namespace air
