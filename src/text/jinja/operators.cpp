#include "text/jinja/operators.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

const char* symbol(Operator op) {
  constexpr const char* kSymbols[] = {"+",  "-", "*",  "/", "//", "%",  "** or pow()", "==",
                                      "!=", "<", "<=", ">", ">=", "in", "not in"};
  return kSymbols[static_cast<size_t>(op)];
}

[[noreturn]] void fail_operands(Operator op, const Value& left, const Value& right) {
  if (left.is_undefined()) fail_undefined(left);
  if (right.is_undefined()) fail_undefined(right);
  if (op == Operator::kAdd && left.is_string())
    throw RenderError("can only concatenate str (not \"" + std::string(type_name(right)) +
                      "\") to str");
  const bool is_order = op >= Operator::kEq;
  throw RenderError((is_order ? "'" : "unsupported operand type(s) for ") +
                    std::string(symbol(op)) +
                    (is_order ? "' not supported between instances of '" : ": '") +
                    std::string(type_name(left)) + "' and '" + std::string(type_name(right)) + "'");
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

Value integer_power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) throw RenderError("0.0 cannot be raised to a negative power");
    return Value::number(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  int64_t out = 1;
  for (bool first = true; exponent > 0; exponent >>= 1, first = false) {
    if (!first && __builtin_mul_overflow(base, base, &base)) fail_overflow();
    if ((exponent & 1) != 0 && __builtin_mul_overflow(out, base, &out)) fail_overflow();
  }
  return Value::integer(out);
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
    case Operator::kMod:
      out = right == -1 ? 0 : left % right;
      if (out != 0 && (out < 0) != (right < 0)) out += right;
      break;
    default:
      return integer_power(left, right);
  }
  return Value::integer(out);
}

double float_modulo(double left, double right) {
  double out = std::fmod(left, right);
  if (out != 0 && (out < 0) != (right < 0)) out += right;
  return out == 0 ? std::copysign(0.0, right) : out;
}

Value float_arithmetic(Operator op, double left, double right) {
  const bool divides = op == Operator::kDiv || op == Operator::kFloorDiv || op == Operator::kMod;
  if (divides && right == 0)
    throw RenderError(op == Operator::kMod   ? "float modulo"
                      : op == Operator::kDiv ? "float division by zero"
                                             : "float floor division by zero");
  switch (op) {
    case Operator::kAdd:
      return Value::number(left + right);
    case Operator::kSub:
      return Value::number(left - right);
    case Operator::kMul:
      return Value::number(left * right);
    case Operator::kDiv:
      return Value::number(left / right);
    case Operator::kFloorDiv: {
      const double floor = std::round((left - float_modulo(left, right)) / right);
      return Value::number(floor == 0 ? std::copysign(0.0, left / right) : floor);
    }
    case Operator::kMod:
      return Value::number(float_modulo(left, right));
    default:
      if (left == 0 && right < 0) throw RenderError("0.0 cannot be raised to a negative power");
      if (left < 0 && right != std::floor(right))
        throw RenderError("a power that is a complex number");
      return Value::number(std::pow(left, right));
  }
}

Value concatenate(Runtime& runtime, const Value& left, const Value& right) {
  const bool is_markup = left.is_markup() || right.is_markup();
  std::string out;
  runtime.charge(left.as_text().size() + right.as_text().size());
  out.reserve(left.as_text().size() + right.as_text().size());
  for (const Value* part : {&left, &right})
    out += is_markup && !part->is_markup() ? escape_html(part->as_text()) : part->as_text();
  return Value::text(std::move(out), is_markup);
}

Value repeat(Runtime& runtime, const Value& value, int64_t count) {
  const auto times = static_cast<size_t>(std::max<int64_t>(count, 0));
  const auto charge = [&](size_t one) {
    if (one != 0 && times > SIZE_MAX / one) throw RenderError("the template makes too much text");
    runtime.charge(one * times);
  };
  if (value.is_string()) {
    charge(value.as_text().size());
    std::string out;
    for (size_t i = 0; i < times && !value.as_text().empty(); ++i) out += value.as_text();
    return Value::text(std::move(out), value.is_markup());
  }
  charge(value.items().size() * kItemBytes);
  std::vector<Value> out;
  for (size_t i = 0; i < times && !value.items().empty(); ++i)
    out.insert(out.end(), value.items().begin(), value.items().end());
  return runtime.list(std::move(out), value.kind());
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
  if (!is_iterable(container))
    throw RenderError("argument of type '" + std::string(type_name(container)) +
                      "' is not iterable");
  const IteratorPointer iterator = iterate(runtime, container);
  for (Value other; iterator->next(other);)
    if (equal(runtime, other, item)) return true;
  return false;
}

}  // namespace

void fail_undefined(const Value& value) {
  throw RenderError(value.object() ? value.as<Text>().text : "an undefined value is used");
}

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
    case Kind::kIterator:
      return true;
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
    case Kind::kRange: {
      const auto &a = left.as<Range>(), &b = right.as<Range>();
      return a.size == b.size &&
             (a.size == 0 || (a.start == b.start && (a.size == 1 || a.step == b.step)));
    }
    case Kind::kView:
      throw RenderError("air does not compare dict views: make lists of them");
    default:
      return left.object() == right.object();
  }
}

size_t hash_of(Budget& budget, const Value& value) {
  budget.step();
  if (value.is_number()) return std::hash<double>()(value.as_float());
  switch (value.kind()) {
    case Kind::kString:
      budget.step(static_cast<int64_t>(value.as_text().size() / 64));
      return std::hash<std::string_view>()(value.as_text());
    case Kind::kTuple: {
      const Level level(budget);
      size_t hash = value.items().size();
      for (const Value& item : value.items()) hash = hash * 31 + hash_of(budget, item);
      return hash;
    }
    case Kind::kList:
    case Kind::kDict:
    case Kind::kView:
      throw RenderError("unhashable type: '" + std::string(type_name(value)) + "'");
    case Kind::kUndefined:
    case Kind::kNone:
    case Kind::kRange:
      return static_cast<size_t>(value.kind());
    default:
      return std::hash<const void*>()(value.object().get());
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
  if (op == Operator::kMod && left.is_string()) return percent_format(runtime, left, right);
  if (op == Operator::kMul) {
    const auto repeats = [](const Value& v) { return v.is_string() || v.is_sequence(); };
    if (repeats(left) && right.is_integer()) return repeat(runtime, left, right.as_integer());
    if (repeats(right) && left.is_integer()) return repeat(runtime, right, left.as_integer());
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
