// What selecting needs of a scored record: the numbers of its `air` object and, when asked for,
// fields of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace air {

/// What rows are selected by.
struct RowFields {
  std::string by = "influence";  ///< a key of `air`, or "ppl": e^base_nll
  std::string
      group;  ///< a field of the record, dots lead into objects ("meta.domain"); empty: none
  std::string best_of;      ///< likewise
  std::string stratify_by;  ///< a name as for `by`; empty: none
  bool truncation = false;  ///< whether to find out if the response was cut off
};

/// One scored record.
struct ScoredRow {
  double value = 0;    ///< of `by`
  double stratum = 0;  ///< of `stratify_by`
  double influence = 0, divergence = 0, base_nll = 0;
  int64_t rank = 0;  ///< of air; 0 when the file is not ranked
  int64_t line = 0,
          trace = 0;  ///< of air: which line of the input of `air score`, and which of its traces
  int64_t num_tokens = 0;       ///< of the response
  int64_t steps_end = 0;        ///< byte of the response at which the last step ends
  bool scored_in_part = false;  ///< `air score --overlong truncate` cut the trace: that need not be
                                ///< the response's end
  std::string group;            ///< the field's text, or its JSON when it is no string
  std::string best_of;
  bool truncated = false;
};

/// Names that `--by` takes.
const std::vector<std::string>& known_measures();

/// @throws Error(kInput) naming the line and what it lacks: not JSON, no `air`, another schema, no
///   such key or field.
ScoredRow read_scored_row(std::string_view line, const RowFields& fields, const std::string& where);

}  // namespace air
