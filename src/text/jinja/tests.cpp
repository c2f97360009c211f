#include <unordered_map>

#include "text/jinja/library.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

void no_arguments(const Arguments& arguments) {
  const Parameters parameters("a test", arguments, {});
}

template <Kind... kKinds>
bool is_kind(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  return (subject.is(kKinds) || ...);
}

bool is_defined(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  return !subject.is_undefined();
}

template <bool kWanted>
bool is_truth_value(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  return subject.is(Kind::kBool) && subject.as_bool() == kWanted;
}

bool is_sequence(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  return length_of(subject).has_value() && !subject.is(Kind::kView);
}

bool iterable(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  return is_iterable(subject);
}

bool is_callable(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  // An Undefined has __call__ too.
  return subject.is(Kind::kFunction) || subject.is(Kind::kLoop) || subject.is_undefined();
}

template <int64_t kRemainder>
bool has_remainder(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  const Value rest = arithmetic(runtime, Operator::kMod, subject, Value::integer(2));
  return equal(runtime, rest, Value::integer(kRemainder));
}

bool is_divisible(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("divisibleby", arguments, {"num"}, 1);
  return equal(runtime, arithmetic(runtime, Operator::kMod, subject, parameters.get(0)),
               Value::integer(0));
}

template <const char* kPredicate>
bool has_case(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  return has_property(to_text(runtime, subject), kPredicate);
}
constexpr char kIsLower[] = "islower", kIsUpper[] = "isupper";

template <Operator kOperator>
bool compares(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("a comparison", arguments, {"other"}, 1);
  return compare(runtime, kOperator, subject, parameters.get(0));
}

bool is_same(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("sameas", arguments, {"other"}, 1);
  const Value& other = parameters.get(0);
  if (subject.kind() != other.kind()) return false;
  if (subject.is(Kind::kNone) || subject.is(Kind::kBool)) return equal(runtime, subject, other);
  if (subject.object() && subject.object() == other.object()) return true;
  throw RenderError("air tells by sameas only none, true, false and one value from itself");
}

bool is_escaped(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  return subject.is_markup();
}

template <bool kFilter>
bool is_named(Runtime&, const Value& subject, const Arguments& arguments) {
  no_arguments(arguments);
  if (!subject.is_string()) return false;
  return kFilter ? find_filter(subject.as_text()) != nullptr
                 : find_test(subject.as_text()) != nullptr;
}

}  // namespace

const Test* find_test(std::string_view name) {
  static const std::unordered_map<std::string_view, Test> kTests{
      {"!=", {compares<Operator::kNe>}},
      {"<", {compares<Operator::kLt>}},
      {"<=", {compares<Operator::kLe>}},
      {"==", {compares<Operator::kEq>}},
      {">", {compares<Operator::kGt>}},
      {">=", {compares<Operator::kGe>}},
      {"boolean", {is_kind<Kind::kBool>}},
      {"callable", {is_callable}},
      {"defined", {is_defined}},
      {"divisibleby", {is_divisible}},
      {"eq", {compares<Operator::kEq>}},
      {"equalto", {compares<Operator::kEq>}},
      {"escaped", {is_escaped}},
      {"even", {has_remainder<0>}},
      {"false", {is_truth_value<false>}},
      {"filter", {is_named<true>}},
      {"float", {is_kind<Kind::kFloat>}},
      {"ge", {compares<Operator::kGe>}},
      {"greaterthan", {compares<Operator::kGt>}},
      {"gt", {compares<Operator::kGt>}},
      {"in", {compares<Operator::kIn>}},
      {"integer", {is_kind<Kind::kInt>}},
      {"iterable", {iterable}},
      {"le", {compares<Operator::kLe>}},
      {"lessthan", {compares<Operator::kLt>}},
      {"lower", {has_case<kIsLower>}},
      {"lt", {compares<Operator::kLt>}},
      {"mapping", {is_kind<Kind::kDict>}},
      {"ne", {compares<Operator::kNe>}},
      {"none", {is_kind<Kind::kNone>}},
      {"number", {is_kind<Kind::kBool, Kind::kInt, Kind::kFloat>}},
      {"odd", {has_remainder<1>}},
      {"sameas", {is_same}},
      {"sequence", {is_sequence}},
      {"string", {is_kind<Kind::kString>}},
      {"test", {is_named<false>}},
      {"true", {is_truth_value<true>}},
      {"undefined", {is_kind<Kind::kUndefined>}},
      {"upper", {has_case<kIsUpper>}},
  };
  const auto it = kTests.find(name);
  return it == kTests.end() ? nullptr : &it->second;
}

}  // namespace air::jinja
