// The lines of several inputs, to be read a second time in any order, without holding them in
// memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace air {

/// An index of lines: 16 bytes a line, whatever its length. Plain files are read again where they
/// lie; standard input and compressed files are kept in a temporary file without a name, which is
/// gone when the program ends.
class RowStore {
 public:
  RowStore();
  ~RowStore();
  RowStore(const RowStore&) = delete;
  RowStore& operator=(const RowStore&) = delete;

  /// Reads an input through, calls `visit` for every line that is not blank, and remembers the
  /// place of each. Errors of `visit` that name no place are given the line's.
  /// @param path a file, or "-".   @throws Error(kInput), Error(kResource).
  void add(const std::string& path,
           const std::function<void(std::string_view line, const std::string& where)>& visit);

  int64_t num_rows() const { return static_cast<int64_t>(rows_.size()); }
  /// Line `row` (from 0) without its newline. @throws Error(kInput) when the file has changed
  /// since.
  std::string line(int64_t row) const;
  /// "file:line" of row `row`, for messages.
  std::string where(int64_t row) const;

 private:
  struct File;
  const File& file_of(int64_t row) const;
  struct Row {
    uint64_t begin;  ///< in its file
    uint64_t size;
  };
  std::vector<std::unique_ptr<File>> files_;
  std::vector<Row> rows_;
};

}  // namespace air
