// What selecting needs of a scored record: the numbers of its `air` object and, when asked for,
// fields of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scored/ranking.h"
#include "scored/scored_numbers.h"
#include "select/condition.h"
#include "select/residual.h"

namespace air {

/// What rows are selected by.
struct RowFields {
  ScoreChoice by;  ///< of keys of `air`, or "ppl": e^base_nll
  std::string
      group;  ///< a field of the record, dots lead into objects ("meta.domain"); empty: none
  std::string best_of;                ///< likewise
  std::string stratify_by;            ///< a name as for `by`; empty: none
  std::vector<Condition> conditions;  ///< of --where
  bool truncation = false;            ///< whether to find out if the response was cut off
};

/// One scored record.
struct ScoredRow {
  double value = 0;           ///< of `by`, before the others are accounted for
  std::vector<double> after;  ///< of the others that `by` names
  double stratum = 0;         ///< of `stratify_by`
  ScoredNumbers numbers;
  std::string group;  ///< the field's text, or its JSON when it is not a string
  std::string best_of;
  bool truncated = false;
  bool fits = true;  ///< all conditions hold

  RankKey rank_key() const;
  int64_t num_tokens() const { return require_integer(numbers, "num_tokens"); }
};

/// Numbers that `--by` names.
const std::vector<std::string>& known_measures();

/// One of them. @throws Error(kInput) when the line lacks it.
double measure_of(const ScoredNumbers& numbers, const std::string& name);

/// @throws Error(kInput) naming what the line lacks: not JSON, no `air`, another schema, no such
///   number or field.
ScoredRow read_scored_row(std::string_view line, const RowFields& fields);

}  // namespace air
