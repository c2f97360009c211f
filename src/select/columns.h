// Columns of kept records as CSV (RFC 4180): numbers of the scores and fields of the record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/record_value.h"
#include "scored/scored_trace.h"

namespace air {

/// What `--columns` asks for.
class Columns {
 public:
  /// @param names  "id", "rank", a number of `air`, "ppl", or a field of the record; dots lead into
  ///   objects.
  Columns(std::vector<std::string> names, ScoredReading reading);

  /// The line of names, '\n' included.
  std::string header() const;
  /// The line of a record. A field that it lacks, or that is null, gives an empty cell; lists and
  /// objects are written as JSON.
  /// @param rank  0: that of the line.
  std::string row(std::string_view line, int64_t rank);
  /// @throws Error(kInput) when rows were written and a column was empty in all of them: most
  /// likely
  ///   its name is wrong.
  void check_all_found() const;

 private:
  std::string cell(const std::string& name, std::string_view line, const ScoredNumbers& numbers,
                   const RecordValue& record, int64_t rank) const;

  std::vector<std::string> names_;
  std::vector<bool> found_;
  bool has_rows_ = false;
  ScoredReading reading_;
};

/// A cell as CSV writes it: quoted where it has a comma, a quote or a line break.
std::string csv_cell(const std::string& text);

/// The trace's id, "line N" without one.
std::string trace_name(std::string_view line, const ScoredReading& reading,
                       const ScoredNumbers& numbers);

}  // namespace air
