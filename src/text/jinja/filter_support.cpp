#include "text/jinja/filter_support.h"

#include <algorithm>

#include "text/jinja/attributes.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

/// "a.b.0": keys and, where they are digits, positions.
std::vector<Value> path_of(const Value& attribute) {
  if (!attribute.is_string()) return {attribute};
  std::vector<Value> out;
  for (const std::string_view part : split_at(attribute.as_text(), ".", -1, false)) {
    const bool is_number = has_property(part, "isdigit");
    out.push_back(is_number ? Value::integer(parse_integer(part, 10).value_or(0))
                            : Value::text(std::string(part)));
  }
  return out;
}

}  // namespace

Value ignore_case(Runtime& runtime, const Value& value) {
  return value.is_string() ? runtime.text(change_case(value.as_text(), Case::kLower)) : value;
}

Getter attribute_getter(Runtime& runtime, const Value& attribute, const Value& otherwise) {
  return [&runtime, path = path_of(attribute), otherwise](const Value& item) {
    Value out = item;
    for (const Value& key : path) {
      out = get_item(runtime, out, key);
      if (out.is_undefined() && !otherwise.is_undefined()) out = otherwise;
    }
    return out;
  };
}

Getter key_getter(Runtime& runtime, const Value* attribute, bool case_sensitive) {
  const bool has_attribute = attribute && !attribute->is(Value::Kind::kNone);
  Getter get = has_attribute ? attribute_getter(runtime, *attribute)
                             : [](const Value& item) { return item; };
  if (case_sensitive) return get;
  return [&runtime, get](const Value& item) { return ignore_case(runtime, get(item)); };
}

std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items, const Getter& key,
                             bool reverse) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items) keyed.emplace_back(key(item), item);
  const auto less = [&](const auto& a, const auto& b) {
    return compare(runtime, Operator::kLt, a.first, b.first);
  };
  // reverse keeps the order of equals: sort the mirror image, and mirror that.
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::stable_sort(keyed.begin(), keyed.end(), less);
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::vector<Value> out;
  for (auto& [unused, item] : keyed) out.push_back(std::move(item));
  return out;
}

const std::string& string_of(const Value& value) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_string())
    throw RenderError("a string is needed, not " + std::string(type_name(value)));
  return value.as_text();
}

Value made(Runtime& runtime, const Value& subject, std::string text) {
  return runtime.text(std::move(text), subject.is_markup());
}

}  // namespace air::jinja
