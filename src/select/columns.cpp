#include "select/columns.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "data/field_path.h"
#include "data/record_value.h"
#include "scored/scored_line.h"
#include "select/scored_row.h"

namespace air {

namespace {

/// Whole numbers without a decimal point, as the lines have them.
std::string number_text(double number) {
  std::string text;
  if (number == std::floor(number) && std::abs(number) < 9e15)
    return std::to_string(static_cast<int64_t>(number));
  append_number(text, number);
  return text;
}

/// A number of `air` by any of its names; none: there is no such name, or the line lacks it.
std::optional<double> score_of(const ScoredNumbers& numbers, const std::string& name) {
  if (const std::optional<double>* number = numbers.find(name)) return *number;
  if (std::ranges::find(known_measures(), name) == known_measures().end()) return std::nullopt;
  return measure_of(numbers, name);
}

}  // namespace

Columns::Columns(std::vector<std::string> names, ScoredReading reading)
    : names_(std::move(names)), found_(names_.size()), reading_(std::move(reading)) {}

std::string Columns::header() const { return join(names_, ",", csv_cell) + "\n"; }

std::string Columns::cell(const std::string& name, std::string_view line,
                          const ScoredNumbers& numbers, const RecordValue& record,
                          int64_t rank) const {
  if (name == "id") return read_scored_text(line, reading_, numbers).record.id;
  if (name == "rank" && rank > 0) return number_text(static_cast<double>(rank));
  if (const auto score = score_of(numbers, name)) return number_text(*score);
  const RecordValue* value = find_field(record, name);
  return value == nullptr || value->is_null() ? "" : text_of(*value, line);
}

std::string Columns::row(std::string_view line, int64_t rank) {
  const ScoredNumbers numbers = read_scored_numbers(air_value_of(line));
  const RecordValue record = parse_record_line(line);
  std::string out;
  for (size_t i = 0; i < names_.size(); ++i) {
    const std::string text = cell(names_[i], line, numbers, record, rank);
    if (!text.empty()) found_[i] = true;
    out += (i == 0 ? "" : ",") + csv_cell(text);
  }
  has_rows_ = true;
  return out + "\n";
}

void Columns::check_all_found() const {
  const auto lost = std::ranges::find(found_, false);
  if (!has_rows_ || lost == found_.end()) return;
  throw Error(
      ErrorKind::kInput, "--columns",
      "no record that is kept has \"" + names_[static_cast<size_t>(lost - found_.begin())] + "\"",
      "id, rank, a field of the records, or one of " + join(known_measures(), ", "));
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string trace_name(std::string_view line, const ScoredReading& reading,
                       const ScoredNumbers& numbers) {
  const std::string id = read_scored_text(line, reading, numbers).record.id;
  return id.empty() ? "line " + std::to_string(static_cast<int64_t>(numbers.line.value_or(0))) : id;
}

}  // namespace air
