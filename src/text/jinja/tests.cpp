// The tests, as in `x is string`.
#include "text/jinja/library.h"
#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

template <Kind... kKinds>
Value is_kind(Call& call) {
  return Value::boolean((call.self.is(kKinds) || ...));
}

template <bool kWanted>
Value is_truth_value(Call& call) {
  return Value::boolean(call.self.is(Kind::kBool) && call.self.as_bool() == kWanted);
}

Value is_defined(Call& call) { return Value::boolean(!call.self.is_undefined()); }

Value is_sequence(Call& call) {
  return Value::boolean(length_of(call.self).has_value() && !call.self.is(Kind::kView));
}

Value iterable(Call& call) { return Value::boolean(is_iterable(call.self)); }

Value divides(Call& call, const Value& divisor, int64_t remainder) {
  const Value rest = arithmetic(call.runtime, Operator::kMod, call.self, divisor);
  return Value::boolean(equal(call.runtime, rest, Value::integer(remainder)));
}
Value is_even(Call& call) { return divides(call, Value::integer(2), 0); }
Value is_odd(Call& call) { return divides(call, Value::integer(2), 1); }
Value is_divisible(Call& call) { return divides(call, call.get(0), 0); }

template <Operator kOperator>
Value compares(Call& call) {
  return Value::boolean(compare(call.runtime, kOperator, call.self, call.get(0)));
}

Value is_same(Call& call) {
  const Value& other = call.get(0);
  if (call.self.kind() != other.kind()) return Value::boolean(false);
  if (call.self.is(Kind::kNone) || call.self.is(Kind::kBool))
    return Value::boolean(equal(call.runtime, call.self, other));
  if (call.self.object() && call.self.object() == other.object()) return Value::boolean(true);
  throw RenderError("air tells by sameas only none, true, false and one value from itself");
}

template <Operator kOperator>
Native comparison(std::string_view name) {
  return {name, compares<kOperator>, {"other"}, 1};
}

}  // namespace

const std::vector<Native> kTests{
    comparison<Operator::kNe>("!="),
    comparison<Operator::kLt>("<"),
    comparison<Operator::kLe>("<="),
    comparison<Operator::kEq>("=="),
    comparison<Operator::kGt>(">"),
    comparison<Operator::kGe>(">="),
    {"boolean", is_kind<Kind::kBool>},
    {"defined", is_defined},
    {"divisibleby", is_divisible, {"num"}, 1},
    comparison<Operator::kEq>("eq"),
    comparison<Operator::kEq>("equalto"),
    {"even", is_even},
    {"false", is_truth_value<false>},
    {"float", is_kind<Kind::kFloat>},
    comparison<Operator::kGe>("ge"),
    comparison<Operator::kGt>("greaterthan"),
    comparison<Operator::kGt>("gt"),
    comparison<Operator::kIn>("in"),
    {"integer", is_kind<Kind::kInt>},
    {"iterable", iterable},
    comparison<Operator::kLe>("le"),
    comparison<Operator::kLt>("lessthan"),
    comparison<Operator::kLt>("lt"),
    {"mapping", is_kind<Kind::kDict>},
    comparison<Operator::kNe>("ne"),
    {"none", is_kind<Kind::kNone>},
    {"number", is_kind<Kind::kBool, Kind::kInt, Kind::kFloat>},
    {"odd", is_odd},
    {"sameas", is_same, {"other"}, 1},
    {"sequence", is_sequence},
    {"string", is_kind<Kind::kString>},
    {"true", is_truth_value<true>},
    {"undefined", is_kind<Kind::kUndefined>},
};

}  // namespace air::jinja
