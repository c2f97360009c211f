#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

const char* symbol(Operator op) {
  constexpr const char* kSymbols[] = {
      "+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kSymbols[static_cast<size_t>(op)];
}

[[noreturn]] void fail_operands(Operator op, const Value& left, const Value& right) {
  if (left.is_undefined()) fail_undefined(left);
  if (right.is_undefined()) fail_undefined(right);
  throw RenderError(std::string("'") + symbol(op) + "' is not for a " +
                    std::string(type_name(left)) + " and a " + std::string(type_name(right)));
}

[[noreturn]] void fail_overflow() { throw RenderError("an integer beyond 64 bits"); }

/// -1, 0, 1; none for a NaN.
template <typename Number>
std::optional<int> order(Number left, Number right) {
  if (left < right) return -1;
  if (left > right) return 1;
  return left == right ? std::optional(0) : std::nullopt;
}

std::optional<int> order_numbers(const Value& left, const Value& right) {
  if (left.is_integer() && right.is_integer()) return order(left.as_integer(), right.as_integer());
  // A long double of x86 holds every 64-bit integer and every double exactly.
  const auto exact = [](const Value& v) {
    return v.is_integer() ? static_cast<long double>(v.as_integer())
                          : static_cast<long double>(v.as_float());
  };
  return order(exact(left), exact(right));
}

Value integer_arithmetic(Operator op, int64_t left, int64_t right) {
  int64_t out = 0;
  const bool divides = op == Operator::kDiv || op == Operator::kFloorDiv || op == Operator::kMod;
  if (divides && right == 0)
    throw RenderError(op == Operator::kDiv ? "division by zero"
                                           : "integer division or modulo by zero");
  if (divides && right == -1 && left == INT64_MIN && op != Operator::kMod) fail_overflow();
  switch (op) {
    case Operator::kAdd:
      if (__builtin_add_overflow(left, right, &out)) fail_overflow();
      break;
    case Operator::kSub:
      if (__builtin_sub_overflow(left, right, &out)) fail_overflow();
      break;
    case Operator::kMul:
      if (__builtin_mul_overflow(left, right, &out)) fail_overflow();
      break;
    case Operator::kDiv:
      return Value::number(static_cast<double>(left) / static_cast<double>(right));
    case Operator::kFloorDiv:
      out = left / right - (left % right != 0 && (left < 0) != (right < 0) ? 1 : 0);
      break;
    default:  // %
      out = right == -1 ? 0 : left % right;
      if (out != 0 && (out < 0) != (right < 0)) out += right;
  }
  return Value::integer(out);
}

Value float_arithmetic(Operator op, double left, double right) {
  if (op == Operator::kFloorDiv || op == Operator::kMod)
    throw RenderError(std::string("air does not compute ") + symbol(op) + " of floats");
  if (op == Operator::kDiv && right == 0) throw RenderError("float division by zero");
  return Value::number(op == Operator::kAdd   ? left + right
                       : op == Operator::kSub ? left - right
                       : op == Operator::kMul ? left * right
                                              : left / right);
}

Value concatenate(Runtime& runtime, const Value& left, const Value& right) {
  const bool is_markup = left.is_markup() || right.is_markup();
  if (is_markup && !left.is_markup()) refuse_to_escape(left);
  if (is_markup && !right.is_markup()) refuse_to_escape(right);
  runtime.charge(left.as_text().size() + right.as_text().size());
  return Value::text(left.as_text() + right.as_text(), is_markup);
}

Value repeat(Runtime& runtime, const Value& text, int64_t count) {
  const size_t size = text.as_text().size();
  const auto times = static_cast<size_t>(std::max<int64_t>(count, 0));
  if (size != 0 && times > SIZE_MAX / size) throw RenderError("the template makes too much text");
  runtime.charge(size * times);
  std::string out;
  for (size_t i = 0; i < times && size != 0; ++i) out += text.as_text();
  return Value::text(std::move(out), text.is_markup());
}

bool equal_items(Budget& budget, const std::vector<Value>& left, const std::vector<Value>& right) {
  if (left.size() != right.size()) return false;
  const Level level(budget);
  for (size_t i = 0; i < left.size(); ++i)
    if (!equal(budget, left[i], right[i])) return false;
  return true;
}

bool equal_dicts(Budget& budget, const Dict& left, const Dict& right) {
  if (left.entries().size() != right.entries().size()) return false;
  const Level level(budget);
  for (const auto& [key, value] : left.entries()) {
    const Value* other = right.find(budget, key);
    if (!other || !equal(budget, value, *other)) return false;
  }
  return true;
}

bool is_less(Runtime& runtime, Operator op, const Value& left, const Value& right) {
  runtime.step();
  const auto decide = [op](std::optional<int> order) {
    if (!order) return false;
    return op == Operator::kLt   ? *order < 0
           : op == Operator::kLe ? *order <= 0
           : op == Operator::kGt ? *order > 0
                                 : *order >= 0;
  };
  if (left.is_number() && right.is_number()) return decide(order_numbers(left, right));
  if (left.is_string() && right.is_string()) return decide(left.as_text().compare(right.as_text()));
  if (!left.is_sequence() || left.kind() != right.kind()) fail_operands(op, left, right);
  const auto &a = left.items(), &b = right.items();
  const Level level(runtime);
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (!equal(runtime, a[i], b[i])) return is_less(runtime, op, a[i], b[i]);
  return decide(order(a.size(), b.size()));
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kString:
      if (!item.is_string())
        throw RenderError("'in <string>' requires string as left operand, not " +
                          std::string(type_name(item)));
      runtime.step(static_cast<int64_t>(container.as_text().size() / 64));
      return container.as_text().find(item.as_text()) != std::string::npos;
    case Kind::kDict:
      return container.as<Dict>().find(runtime, item) != nullptr;
    default:
      break;
  }
  Cursor cursor(container);
  for (Value other; cursor.next(other);)
    if (equal(runtime, other, item)) return true;
  return false;
}

}  // namespace

void refuse_to_escape(const Value& text) {
  if (text.as_text().find_first_of("&<>\"'") != std::string::npos)
    throw RenderError("air does not escape a text that meets one which the filter 'safe' made");
}

void fail_undefined(const Value& value) { throw RenderError(value.hint()); }

bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_integer() != 0;
    case Kind::kFloat:
      return value.as_float() != 0;
    case Kind::kString:
      return !value.as_text().empty();
    default:
      return length_of(value).value_or(1) != 0;
  }
}

bool equal(Budget& budget, const Value& left, const Value& right) {
  budget.step();
  if (left.is_number() && right.is_number()) {
    const std::optional<int> result = order_numbers(left, right);
    return result == 0;
  }
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      budget.step(static_cast<int64_t>(left.as_text().size() / 64));
      return left.as_text() == right.as_text();
    case Kind::kList:
    case Kind::kTuple:
      return left.object() == right.object() || equal_items(budget, left.items(), right.items());
    case Kind::kDict:
      return left.object() == right.object() ||
             equal_dicts(budget, left.as<Dict>(), right.as<Dict>());
    case Kind::kView:
    case Kind::kRange:
      throw RenderError(
          "air does not compare what keys(), values(), items() and range() make: "
          "make lists of them");
    default:
      return left.object() == right.object();
  }
}

bool compare(Runtime& runtime, Operator op, const Value& left, const Value& right) {
  switch (op) {
    case Operator::kEq:
      return equal(runtime, left, right);
    case Operator::kNe:
      return !equal(runtime, left, right);
    case Operator::kIn:
      return contains(runtime, right, left);
    case Operator::kNotIn:
      return !contains(runtime, right, left);
    default:
      return is_less(runtime, op, left, right);
  }
}

Value arithmetic(Runtime& runtime, Operator op, const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) {
    if (left.is_integer() && right.is_integer())
      return integer_arithmetic(op, left.as_integer(), right.as_integer());
    return float_arithmetic(op, left.as_float(), right.as_float());
  }
  if (op == Operator::kAdd && left.is_string() && right.is_string())
    return concatenate(runtime, left, right);
  if (op == Operator::kAdd && left.is_sequence() && left.kind() == right.kind()) {
    std::vector<Value> items = left.items();
    items.insert(items.end(), right.items().begin(), right.items().end());
    return runtime.list(std::move(items), left.kind());
  }
  if (op == Operator::kMod && left.is_string())
    throw RenderError("air does not format text with %");
  if (op == Operator::kMul) {
    if (left.is_string() && right.is_integer()) return repeat(runtime, left, right.as_integer());
    if (right.is_string() && left.is_integer()) return repeat(runtime, right, left.as_integer());
    if (left.is_sequence() || right.is_sequence())
      throw RenderError("air does not repeat lists with *");
  }
  fail_operands(op, left, right);
}

Value negate(const Value& value, bool minus) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_number())
    throw RenderError(std::string("bad operand type for unary ") + (minus ? "-" : "+") + ": '" +
                      std::string(type_name(value)) + "'");
  if (value.is(Kind::kFloat)) return Value::number(minus ? -value.as_float() : value.as_float());
  if (minus && value.as_integer() == INT64_MIN) fail_overflow();
  return Value::integer(minus ? -value.as_integer() : value.as_integer());
}

}  // namespace air::jinja
