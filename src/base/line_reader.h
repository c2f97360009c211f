// Lines of a file or of standard input, one at a time, in bounded memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace air {

class ByteSource;

/// Reads the lines of one input, as byte_source.h gives them: unpacked, without a byte order mark
/// at the start, an element a line where it is an array, a row a line where it is a table. A line
/// is the bytes before '\n'; the last one may lack it.
class LineReader {
 public:
  /// @param path a file, or "-" for standard input.   @param stop ends a next() that waits for a
  /// pipe: it throws Interrupted.   @throws Error(kInput) when it can't be opened.
  explicit LineReader(const std::string& path, const std::stop_token& stop = {});
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// The next line without its '\n', valid until the next call; false at the end.
  /// @throws Error(kInput) when reading fails, or packed data is broken or cut off.
  bool next(std::string_view& line);

  /// Number of the line that next() gave last, from 1.
  int64_t line_number() const { return line_number_; }
  /// "traces.jsonl:17", for messages; "<stdin>:17" for standard input; "traces.parquet:row 17".
  std::string where() const;
  const std::string& name() const { return name_; }
  /// Where the line that next() gave last begins in the file, in bytes; none when the file does not
  /// hold it as it is.
  std::optional<int64_t> offset() const;

 private:
  std::string name_;
  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  size_t begin_ = 0;
  bool at_end_ = false;
  bool is_as_stored_ = true;
  bool are_rows_ = false;
  int64_t line_number_ = 0;
  int64_t line_begin_ = 0, next_line_ = 0;  // in the source's bytes
};

}  // namespace air
