#include "select/condition.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "data/field_path.h"
#include "select/scored_row.h"

namespace air {

namespace {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

bool read_number(std::string_view text, double& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() &&
         std::isfinite(number);
}

}  // namespace

Condition::Condition(const std::string& text) : text_(text) {
  // The longer ones first: "<=" is not "<".
  constexpr std::pair<std::string_view, Operator> kOperators[] = {
      {"<=", Operator::kLessEqual}, {">=", Operator::kGreaterEqual}, {"==", Operator::kEqual},
      {"!=", Operator::kNotEqual},  {"<", Operator::kLess},          {">", Operator::kGreater}};
  const size_t at = text.find_first_of("<>=!");
  for (const auto& [sign, op] : kOperators) {
    if (at == std::string::npos || text.compare(at, sign.size(), sign) != 0) continue;
    name_ = trimmed(std::string_view(text).substr(0, at));
    operator_ = op;
    if (name_.empty() ||
        !read_number(trimmed(std::string_view(text).substr(at + sign.size())), number_))
      break;
    is_of_scores_ = std::ranges::find(known_measures(), name_) != known_measures().end();
    return;
  }
  throw Error(ErrorKind::kUsage, "--where", "\"" + text + "\" is not a condition",
              "NAME, one of < <= > >= == !=, and a number: --where 'repetition<4.5'");
}

bool Condition::holds(const ScoredNumbers& numbers, const RecordValue& record) const {
  if (is_of_scores_) return compare(measure_of(numbers, name_));
  const RecordValue* value = find_field(record, name_);
  double number = 0;
  if (value == nullptr || !value->is_number() || !read_number(value->text, number))
    throw Error(ErrorKind::kInput, "",
                value == nullptr ? "no field \"" + name_ + "\" for --where \"" + text_ + "\""
                                 : "the field \"" + name_ + "\" is " + kind_name(*value) +
                                       ", not a number (--where \"" + text_ + "\")",
                value == nullptr ? "numbers of the scores: " + join(known_measures(), ", ") : "");
  return compare(number);
}

bool Condition::compare(double value) const {
  switch (operator_) {
    case Operator::kLess:
      return value < number_;
    case Operator::kLessEqual:
      return value <= number_;
    case Operator::kGreater:
      return value > number_;
    case Operator::kGreaterEqual:
      return value >= number_;
    case Operator::kEqual:
      return value == number_;
    case Operator::kNotEqual:
      return value != number_;
  }
  AIR_CHECK(false);
  return false;
}

}  // namespace air
