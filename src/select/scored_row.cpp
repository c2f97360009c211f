#include "select/scored_row.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/field_path.h"
#include "data/record_value.h"
#include "scored/scored_line.h"

namespace air {

namespace {

constexpr const char* kPerplexity = "ppl";

std::string field_text(const RecordValue& record, const std::string& field, std::string_view line,
                       const std::string& flag) {
  const RecordValue* value = find_field(record, field);
  if (value == nullptr)
    throw Error(ErrorKind::kInput, "", "no field \"" + field + "\" for " + flag);
  return text_of(*value, line);
}

/// What a field says of one trace: of a list, the item of that trace. Null: nothing.
const RecordValue* of_trace(const RecordValue* field, size_t trace) {
  if (field == nullptr || !field->is_array()) return field;
  return trace < field->items.size() ? &field->items[trace] : nullptr;
}

/// The record says that its response was cut off: `finish_reason` or `stop_reason` is "length" or
/// "max_tokens", or `truncated` or `is_truncated` is true; of a record of several traces, the item
/// of this one (`finish_reasons` too).
bool says_truncated(const RecordValue& record, size_t trace) {
  for (const char* name : {"finish_reason", "stop_reason", "finish_reasons", "stop_reasons"}) {
    const RecordValue* reason = of_trace(find_field(record, name), trace);
    if (reason != nullptr && reason->is_string() &&
        (reason->text == "length" || reason->text == "max_tokens"))
      return true;
  }
  for (const char* name : {"truncated", "is_truncated"}) {
    const RecordValue* flag = of_trace(find_field(record, name), trace);
    if (flag != nullptr && flag->kind == RecordValue::Kind::kBool && flag->truth) return true;
  }
  return false;
}

}  // namespace

RankKey ScoredRow::rank_key() const {
  const auto whole = [](const std::optional<double>& number) {
    return static_cast<int64_t>(number.value_or(0));
  };
  return {.influence = numbers.influence.value_or(0),
          .divergence = numbers.divergence.value_or(0),
          .rank = whole(numbers.rank),
          .line = whole(numbers.line),
          .trace = whole(numbers.trace)};
}

const std::vector<std::string>& known_measures() {
  static const std::vector<std::string> measures = {
      "influence",  "divergence", "controlled",        "base_nll",     "ref_nll",    "entropy",
      "num_tokens", "num_steps",  "num_prompt_tokens", "num_excluded", "repetition", kPerplexity};
  return measures;
}

double measure_of(const ScoredNumbers& numbers, const std::string& name) {
  if (name != kPerplexity) return require_number(numbers, name);
  const double perplexity = std::exp(require_number(numbers, "base_nll"));
  if (!std::isfinite(perplexity))
    throw Error(ErrorKind::kInput, "", "a \"base_nll\" so large has no perplexity",
                "--by base_nll puts the lines in the same order");
  return perplexity;
}

ScoredRow read_scored_row(std::string_view line, const RowFields& fields) {
  ScoredRow row;
  row.numbers = read_scored_numbers(air_value_of(line));
  require_integer(row.numbers, "num_tokens");
  row.value = measure_of(row.numbers, fields.by.score);
  for (const std::string& name : fields.by.after)
    row.after.push_back(measure_of(row.numbers, name));
  if (!fields.stratify_by.empty()) row.stratum = measure_of(row.numbers, fields.stratify_by);
  const auto needs_record = [](const Condition& condition) { return !condition.is_of_scores(); };
  RecordValue record;
  if (!fields.group.empty() || !fields.best_of.empty() || fields.truncation ||
      std::ranges::any_of(fields.conditions, needs_record))
    record = parse_record_line(line);
  row.fits = std::ranges::all_of(fields.conditions, [&](const Condition& condition) {
    return condition.holds(row.numbers, record);
  });
  if (!fields.group.empty()) row.group = field_text(record, fields.group, line, "--group-by");
  if (!fields.best_of.empty()) row.best_of = field_text(record, fields.best_of, line, "--best-of");
  if (fields.truncation)
    row.truncated = row.numbers.truncated ||
                    says_truncated(record, static_cast<size_t>(row.numbers.trace.value_or(0)));
  return row;
}

}  // namespace air
