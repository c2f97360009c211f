// A condition on a number of a record: "repetition<4.5", "meta.quality>=0.5".
#pragma once

#include <string>
#include <string_view>

#include "data/record_value.h"
#include "scored/scored_numbers.h"

namespace air {

/// What `--where` takes.
class Condition {
 public:
  /// NAME, an operator (<, <=, >, >=, ==, !=), a number. @throws Error(kUsage) naming the text.
  explicit Condition(const std::string& text);

  /// True when the condition is of a number of `air` (or "ppl"), which needs no record.
  bool is_of_scores() const { return is_of_scores_; }
  /// @param record  the line's fields; may be empty when is_of_scores().
  /// @throws Error(kInput) when the record has no such number.
  bool holds(const ScoredNumbers& numbers, const RecordValue& record) const;

 private:
  enum class Operator { kLess, kLessEqual, kGreater, kGreaterEqual, kEqual, kNotEqual };
  bool compare(double value) const;

  std::string text_, name_;
  Operator operator_ = Operator::kLess;
  double number_ = 0;
  bool is_of_scores_ = false;
};

}  // namespace air
