#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja/filter_support.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

Value absolute(Runtime&, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("abs", arguments, {});
  if (subject.is_undefined()) fail_undefined(subject);
  if (!subject.is_number())
    throw RenderError("bad operand type for abs(): '" + std::string(type_name(subject)) + "'");
  if (subject.is(Kind::kFloat)) return Value::number(std::fabs(subject.as_float()));
  return negate(subject, subject.as_integer() < 0);
}

/// int() of a float. @throws RenderError where it would not fit.
std::optional<int64_t> truncated(double value) {
  if (std::isnan(value) || std::isinf(value)) return std::nullopt;
  if (!(std::fabs(value) < 9.2e18)) throw RenderError("an integer beyond 64 bits");
  return static_cast<int64_t>(value);
}

Value integer(Runtime&, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("int", arguments, {"default", "base"});
  if (subject.is_undefined()) fail_undefined(subject);
  const Value otherwise = parameters[0] ? parameters.get(0) : Value::integer(0);
  std::optional<int64_t> out;
  if (subject.is_integer())
    out = subject.as_integer();
  else if (subject.is(Kind::kFloat) && std::isinf(subject.as_float()))
    throw RenderError("cannot convert float infinity to integer");
  else if (subject.is(Kind::kFloat))
    out = truncated(subject.as_float());
  else if (subject.is_string()) {
    const int64_t base = parameters.integer(1, 10);
    out = base >= 0 && base <= 36 ? parse_integer(subject.as_text(), static_cast<int>(base))
                                  : std::nullopt;
    if (!out)
      if (const std::optional<double> real = parse_float(subject.as_text())) out = truncated(*real);
  }
  return out ? Value::integer(*out) : otherwise;
}

Value real(Runtime&, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("float", arguments, {"default"});
  if (subject.is_undefined()) fail_undefined(subject);
  if (subject.is_number()) return Value::number(subject.as_float());
  const std::optional<double> parsed =
      subject.is_string() ? parse_float(subject.as_text()) : std::nullopt;
  if (parsed) return Value::number(*parsed);
  return parameters[0] ? parameters.get(0) : Value::number(0);
}

/// Half to even, as Python rounds the decimal digits of a float.
double round_to(double value, int64_t digits) {
  if (std::isnan(value) || std::isinf(value) || digits > 300) return value;
  if (digits < -300) return std::copysign(0.0, value);
  if (digits >= 0) {
    char text[700];
    std::snprintf(text, sizeof text, "%.*f", static_cast<int>(digits), value);
    return *parse_float(text);
  }
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(value / scale) * scale;
}

Value rounded(Runtime&, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("round", arguments, {"precision", "method"});
  if (subject.is_undefined()) fail_undefined(subject);
  if (!subject.is_number())
    throw RenderError("type " + std::string(type_name(subject)) +
                      " doesn't define __round__ method");
  const int64_t digits = parameters.integer(0, 0);
  const std::string method = parameters.text(1, "common");
  if (method == "common") {
    if (subject.is_integer() && digits >= 0) return Value::integer(subject.as_integer());
    if (subject.is_integer()) throw RenderError("air does not round an integer to tens");
    return Value::number(round_to(subject.as_float(), digits));
  }
  if (method != "ceil" && method != "floor")
    throw RenderError("method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(digits)),
               scaled = subject.as_float() * scale;
  return Value::number((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value sum(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("sum", arguments, {"attribute", "start"});
  Value out = parameters[1] ? parameters.get(1) : Value::integer(0);
  if (out.is_string()) throw RenderError("sum() can't sum strings");
  const bool has_attribute = parameters.has(0);
  const Getter get = has_attribute ? attribute_getter(runtime, parameters.get(0)) : Getter();
  for (const Value& item : to_vector(runtime, subject))
    out = arithmetic(runtime, Operator::kAdd, out, has_attribute ? get(item) : item);
  return out;
}

}  // namespace

void add_number_filters(FilterTable& table) {
  table.insert({
      {"abs", {absolute}},
      {"float", {real}},
      {"int", {integer}},
      {"round", {rounded}},
      {"sum", {sum}},
  });
}

}  // namespace air::jinja
