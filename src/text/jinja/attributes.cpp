#include "text/jinja/attributes.h"

#include <algorithm>
#include <unordered_map>

#include "text/jinja/loop.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_methods.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;
using Methods =
    std::unordered_map<std::string_view, Native>;  // null: Python has it and air has not

struct BoundMethod : Function {
  Value self;
  Native method = nullptr;
  Value call(Runtime& runtime, Arguments& arguments) override {
    return method(runtime, self, arguments);
  }
  void release() override { self = Value(); }
};

Value view_of(const Value& self, View::Part part) {
  auto view = std::make_shared<View>();
  view->dict = std::static_pointer_cast<Dict>(self.object());
  view->part = part;
  view->depth = view->dict->depth + 1;
  return Value::of(Kind::kView, std::move(view));
}

template <View::Part kPart>
Value dict_view(Runtime&, const Value& self, const Arguments& arguments) {
  const Parameters parameters("a dict's view", arguments, {});
  return view_of(self, kPart);
}

Value dict_get(Runtime& runtime, const Value& self, const Arguments& arguments) {
  if (!arguments.named.empty()) throw RenderError("dict.get() takes no keyword arguments");
  const Parameters parameters("get", arguments, {"key", "default"}, 1);
  if (const Value* found = self.as<Dict>().find(runtime, parameters.get(0))) return *found;
  return parameters[1] ? parameters.get(1) : Value::none();
}

/// copy() of what can't be changed.
Value same(Runtime&, const Value& self, const Arguments& arguments) {
  const Parameters parameters("copy", arguments, {});
  return self;
}

Value items_count(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("count", arguments, {"value"}, 1);
  int64_t count = 0;
  for (const Value& item : self.items()) count += equal(runtime, item, parameters.get(0)) ? 1 : 0;
  return Value::integer(count);
}

Value items_index(Runtime& runtime, const Value& self, const Arguments& arguments) {
  const Parameters parameters("index", arguments, {"value"}, 1);
  for (size_t i = 0; i < self.items().size(); ++i)
    if (equal(runtime, self.items()[i], parameters.get(0)))
      return Value::integer(static_cast<int64_t>(i));
  throw RenderError("the value of index() is not in the " + std::string(type_name(self)));
}

const Methods kDictMethods{
    {"items", dict_view<View::Part::kItems>},
    {"keys", dict_view<View::Part::kKeys>},
    {"values", dict_view<View::Part::kValues>},
    {"get", dict_get},
    {"copy", same},
    {"fromkeys", nullptr},
};
const Methods kListMethods{{"copy", same}, {"count", items_count}, {"index", items_index}};
const Methods kTupleMethods{{"count", items_count}, {"index", items_index}};
const Methods kIntegerMethods{{"as_integer_ratio", nullptr},
                              {"bit_count", nullptr},
                              {"bit_length", nullptr},
                              {"conjugate", nullptr},
                              {"denominator", nullptr},
                              {"from_bytes", nullptr},
                              {"imag", nullptr},
                              {"numerator", nullptr},
                              {"real", nullptr},
                              {"to_bytes", nullptr}};
const Methods kFloatMethods{{"as_integer_ratio", nullptr},
                            {"conjugate", nullptr},
                            {"fromhex", nullptr},
                            {"hex", nullptr},
                            {"imag", nullptr},
                            {"is_integer", nullptr},
                            {"real", nullptr}};
const Methods kViewMethods{{"isdisjoint", nullptr}, {"mapping", nullptr}};
const Methods kRangeMethods{{"count", nullptr},
                            {"index", nullptr},
                            {"start", nullptr},
                            {"step", nullptr},
                            {"stop", nullptr}};

/// Methods that change what they are called on: the sandbox refuses them.
bool changes(Kind kind, std::string_view name) {
  constexpr std::string_view kOfList[] = {"append", "clear",  "extend",  "insert",
                                          "pop",    "remove", "reverse", "sort"};
  constexpr std::string_view kOfDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  const auto holds = [&](const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
  };
  return kind == Kind::kList ? holds(kOfList) : kind == Kind::kDict && holds(kOfDict);
}

const Methods* methods_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kString:
      return &text_methods();
    case Kind::kDict:
      return &kDictMethods;
    case Kind::kList:
      return &kListMethods;
    case Kind::kTuple:
      return &kTupleMethods;
    case Kind::kBool:
    case Kind::kInt:
      return &kIntegerMethods;
    case Kind::kFloat:
      return &kFloatMethods;
    case Kind::kView:
      return &kViewMethods;
    case Kind::kRange:
      return &kRangeMethods;
    default:
      return nullptr;
  }
}

std::string object_name(const Value& value) {
  return value.is(Kind::kNone) ? "None" : std::string(type_name(value)) + " object";
}

/// getattr(): none where Python raises AttributeError.
std::optional<Value> attribute(Runtime& runtime, const Value& value, const std::string& name) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is(Kind::kNamespace)) {
    const Value* found = value.as<Namespace>().find(name);
    return found ? std::optional(*found) : std::nullopt;
  }
  if (value.is(Kind::kLoop)) return value.as<Loop>().attribute(runtime, name);
  if (value.is(Kind::kFunction))
    throw RenderError("air does not know the attribute '" + name + "' of a function");
  if (changes(value.kind(), name) || name.starts_with("__"))
    return Value::undefined("access to attribute '" + name + "' of '" +
                            std::string(type_name(value)) + "' object is unsafe.");
  const Native method = find_method(value, name);
  if (!method) return std::nullopt;
  auto bound = std::make_shared<BoundMethod>();
  bound->name = name;
  bound->self = value;
  bound->method = method;
  bound->depth = runtime.depth_around(value.depth());
  return Value::of(Kind::kFunction, std::move(bound));
}

}  // namespace

Native find_method(const Value& value, const std::string& name) {
  const Methods* methods = methods_of(value);
  if (!methods) return nullptr;
  const auto it = methods->find(name);
  if (it == methods->end()) return nullptr;
  if (!it->second)
    throw RenderError("air does not know the attribute '" + name + "' of a " +
                      std::string(type_name(value)));
  return it->second;
}

Value get_attribute(Runtime& runtime, const Value& value, const std::string& name) {
  // The usual case first: an entry of a dict that no method hides.
  if (value.is(Kind::kDict) && !kDictMethods.contains(name) && !changes(Kind::kDict, name)) {
    if (const Value* found = value.as<Dict>().find(name)) return *found;
    if (!name.starts_with("__"))
      return Value::undefined("'dict object' has no attribute '" + name + "'");
  }
  if (std::optional<Value> found = attribute(runtime, value, name)) return *found;
  if (value.is(Kind::kDict))
    if (const Value* found = value.as<Dict>().find(name)) return *found;
  return Value::undefined("'" + object_name(value) + "' has no attribute '" + name + "'");
}

Value get_item(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is(Kind::kDict) && key.is_string()) {
    if (const Value* found = value.as<Dict>().find(key.as_text())) return *found;
  } else if (std::optional<Value> found = subscript(runtime, value, key)) {
    return *found;
  }
  if (!key.is_string()) {
    std::string text;
    append_repr(text, runtime, key);
    return Value::undefined(object_name(value) + " has no element " + text);
  }
  if (std::optional<Value> found = attribute(runtime, value, key.as_text())) return *found;
  return Value::undefined("'" + object_name(value) + "' has no attribute '" + key.as_text() + "'");
}

}  // namespace air::jinja
