// An output of records: JSON lines, or a Parquet file where its name asks for one.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/output_file.h"
#include "base/unnamed_file.h"

namespace air {

/// Lines go to PATH as they are. For "….parquet" they are kept in a temporary file beside it, which
/// has no name; commit() reads it twice, for the columns and for the rows. The output is whole or
/// does not appear (output_file.h). What the columns are: docs/data-format.md.
class RecordOutput {
 public:
  /// @throws Error(kResource) when the file can't be made.
  explicit RecordOutput(const std::string& path);
  ~RecordOutput();
  RecordOutput(const RecordOutput&) = delete;
  RecordOutput& operator=(const RecordOutput&) = delete;

  /// @param line with its line end.   @throws as OutputFile.
  void write(std::string_view line);
  /// @throws as OutputFile; Error(kInput) for a line that no table can hold.
  void commit();

 private:
  void write_table();

  std::string path_;
  OutputFile file_;
  int lines_;  // descriptor of the kept lines; -1: the lines are the output
  std::unique_ptr<Spool> spool_;
  bool is_empty_ = true;
};

}  // namespace air
