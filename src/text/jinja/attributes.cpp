#include "text/jinja/attributes.h"

#include <algorithm>

#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

struct BoundMethod : Function {
  BoundMethod(Value self, const Native& method) : self(std::move(self)), method(method) {}
  Value call(Runtime& runtime, Arguments& arguments) override {
    return run(runtime, method, self, arguments);
  }
  void release() override { self = Value(); }
  Value self;
  const Native& method;
};

/// getattr(): none where Python raises AttributeError.
std::optional<Value> attribute(Runtime& runtime, const Value& value, const Value& name,
                               const Methods* methods) {
  if (value.is_undefined()) fail_undefined(value);
  const std::string& text = name.as_text();
  if (value.is(Kind::kNamespace)) {
    const auto& attributes = value.as<Namespace>().attributes;
    const auto it = attributes.find(text);
    return it == attributes.end() ? std::nullopt : std::optional(it->second);
  }
  if (value.is(Kind::kLoop)) return value.as<Loop>().attribute(runtime, text);
  if (value.is(Kind::kFunction))
    for (const char* of_macro : {"name", "arguments", "caller", "catch_kwargs", "catch_varargs"})
      if (text == of_macro)
        throw RenderError("air does not know the attribute '" + text + "' of a macro");
  const bool is_unsafe = methods && ((value.is(Kind::kDict) && methods->is_unsafe_of_dict) ||
                                     (value.is(Kind::kList) && methods->is_unsafe_of_list));
  if (is_unsafe || text.starts_with("__"))
    return Value::undefined("access to attribute '" + text + "' of '" +
                            std::string(type_name(value)) + "' object is unsafe.");
  const Native* method = method_of(value, name, methods);
  if (!method) return std::nullopt;
  auto bound = std::make_shared<BoundMethod>(value, *method);
  bound->depth = runtime.depth_around(value.depth());
  return Value::of(Kind::kFunction, std::move(bound));
}

}  // namespace

const Native* method_of(const Value& value, const Value& name, const Methods* methods) {
  if (!methods) return nullptr;
  if (value.is(Kind::kDict)) return methods->of_dict;
  if (value.is_sequence()) return methods->of_sequence;
  if (!value.is_string()) return nullptr;
  if (methods->is_unknown_of_text)
    throw RenderError("air does not know the attribute '" + name.as_text() + "' of a str");
  return methods->of_text;
}

Value get_attribute(Runtime& runtime, const Value& value, const Value& name,
                    const Methods* methods) {
  // The usual case first: an entry of a dict that no method hides.
  if (value.is(Kind::kDict) && !methods) {
    if (const Value* found = value.as<Dict>().find(name.as_text())) return *found;
  }
  if (std::optional<Value> found = attribute(runtime, value, name, methods)) return *found;
  if (value.is(Kind::kDict))
    if (const Value* found = value.as<Dict>().find(name.as_text())) return *found;
  return Value::missing(value, name);
}

Value get_item(Runtime& runtime, const Value& value, const Value& key, const Methods* methods) {
  if (value.is(Kind::kDict) && key.is_string()) {
    if (const Value* found = value.as<Dict>().find(key.as_text())) return *found;
  } else if (!value.is_string() || !key.is_string()) {
    if (std::optional<Value> found = subscript(runtime, value, key)) return *found;
  }
  if (!key.is_string())
    return Value::undefined(std::string(type_name(value)) + " object has no element " +
                            (key.is_integer() ? std::to_string(key.as_integer())
                                              : "of this " + std::string(type_name(key))));
  if (std::optional<Value> found = attribute(runtime, value, key, methods)) return *found;
  return Value::missing(value, key);
}

Value get_item(Runtime& runtime, const Value& value, const Value& key) {
  return get_item(runtime, value, key, key.is_string() ? find_methods(key.as_text()) : nullptr);
}

Getter attribute_getter(Runtime& runtime, const Value& attribute, const Value& otherwise) {
  std::vector<Value> path;
  if (attribute.is_string()) {
    for (const std::string_view part : split_at(attribute.as_text(), ".", -1, false)) {
      const bool is_number =
          !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
      path.push_back(is_number ? Value::integer(parse_integer(part).value_or(0))
                               : Value::text(std::string(part)));
    }
  } else {
    path.push_back(attribute);
  }
  return [&runtime, path, otherwise](const Value& item) {
    Value out = item;
    for (const Value& key : path) {
      out = get_item(runtime, out, key);
      if (out.is_undefined() && !otherwise.is_undefined()) out = otherwise;
    }
    return out;
  };
}

}  // namespace air::jinja
