// The filters of numbers, and of values as texts.
#include <algorithm>
#include <cmath>

#include "text/jinja/json_value.h"
#include "text/jinja/library.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

Value string(Call& call) {
  return call.self.is_string() ? call.self : Value::text(to_text(call.runtime, call.self));
}

Value safe(Call& call) { return Value::text(to_text(call.runtime, call.self), true); }

/// The blanks of a width, or the text that is given in their place.
std::string indention_of(Call& call, size_t parameter, int64_t otherwise) {
  const Value* given = call[parameter];
  if (given && given->is_string()) return given->as_text();
  const int64_t width = std::max<int64_t>(call.integer(parameter, otherwise), 0);
  if (width > INT32_MAX) throw RenderError("the template makes too much text");
  call.runtime.charge(static_cast<size_t>(width));
  return std::string(static_cast<size_t>(width), ' ');
}

Value indent(Call& call) {
  const bool first = call.truth(1, false), blank = call.truth(2, false);
  const std::string indention = indention_of(call, 0, 4), text = call.text() + "\n";
  std::string out = first ? indention : "";
  bool is_first = true;
  for (const std::string_view line : split_lines(text, false)) {
    call.runtime.charge(line.size() + indention.size() + 1);
    if (!is_first) out += '\n';
    if (!is_first && (blank || !line.empty())) out += indention;
    is_first = false;
    out += line;
  }
  return Value::text(std::move(out), call.self.is_markup());
}

Value tojson(Call& call) {
  JsonForm form;
  form.ensure_ascii = call.truth(0, false);
  if (call.has(1)) {
    form.indent = indention_of(call, 1, 0);
    form.item_separator = ",";
  }
  if (call.has(2)) {
    const std::vector<Value> separators = to_vector(call.runtime, call.get(2));
    if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string())
      throw RenderError("tojson() needs two separators");
    form.item_separator = separators[0].as_text();
    form.key_separator = separators[1].as_text();
  }
  return Value::text(to_json(call.runtime, call.self, form));
}

Value absolute(Call& call) {
  if (call.self.is_undefined()) fail_undefined(call.self);
  if (!call.self.is_number())
    throw RenderError("bad operand type for abs(): '" + std::string(type_name(call.self)) + "'");
  if (call.self.is(Kind::kFloat)) return Value::number(std::fabs(call.self.as_float()));
  return negate(call.self, call.self.as_integer() < 0);
}

Value integer(Call& call) {
  const Value& self = call.self;
  if (self.is_undefined()) fail_undefined(self);
  if (self.is_integer()) return Value::integer(self.as_integer());
  std::optional<double> real;
  if (self.is(Kind::kFloat)) real = self.as_float();
  if (self.is_string()) {
    if (const auto whole = parse_integer(self.as_text())) return Value::integer(*whole);
    real = parse_float(self.as_text());
  }
  if (!real || std::isnan(*real)) return call[0] ? call.get(0) : Value::integer(0);
  if (std::isinf(*real)) throw RenderError("cannot convert float infinity to integer");
  if (!(std::fabs(*real) < 9.2e18)) throw RenderError("an integer beyond 64 bits");
  return Value::integer(static_cast<int64_t>(*real));
}

Value real(Call& call) {
  if (call.self.is_undefined()) fail_undefined(call.self);
  if (call.self.is_number()) return Value::number(call.self.as_float());
  const auto parsed = call.self.is_string() ? parse_float(call.self.as_text()) : std::nullopt;
  return parsed ? Value::number(*parsed) : call[0] ? call.get(0) : Value::number(0);
}

}  // namespace

const std::vector<Native> kValueFilters{
    {"abs", absolute},
    {"float", real, {"default"}},
    {"indent", indent, {"width", "first", "blank"}},
    {"int", integer, {"default"}},
    {"safe", safe},
    {"string", string},
    {"tojson", tojson, {"ensure_ascii", "indent", "separators"}},
};

}  // namespace air::jinja
