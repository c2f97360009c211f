#include <functional>
#include <memory>

#include "text/jinja/attributes.h"
#include "text/jinja/filter_support.h"
#include "text/jinja/operators.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

Value default_value(Runtime&, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("default", arguments, {"default_value", "boolean"});
  const bool replaces = subject.is_undefined() || (parameters.truth(1, false) && !truth(subject));
  if (!replaces) return subject;
  return parameters[0] ? parameters.get(0) : Value::text("");
}

Value attr(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("attr", arguments, {"name"}, 1);
  const std::string name = parameters.text(0, "");
  // Attributes alone: an entry of a dict is none.
  if (subject.is(Kind::kDict) && !find_method(subject, name))
    return Value::undefined("'dict object' has no attribute '" + name + "'");
  return get_attribute(runtime, subject, name);
}

/// The function that `map` applies: a filter by name, or an attribute.
Getter mapped_function(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.empty()) {
    const Parameters parameters("map", arguments, {"attribute", "default"});
    if (!parameters[0]) throw RenderError("map requires a filter argument");
    const Value otherwise = parameters.has(1) ? parameters.get(1) : Value();
    return attribute_getter(runtime, parameters.get(0), otherwise);
  }
  const std::string name = string_of(arguments.positional[0]);
  const Filter* filter = find_filter(name);
  if (!filter) throw RenderError("No filter named '" + name + "'.");
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  return [&runtime, filter, rest](const Value& item) { return filter->apply(runtime, item, rest); };
}

Value map(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  auto function = std::make_shared<Getter>();
  auto source = std::make_shared<IteratorPointer>();
  // All is looked at when the first item is asked for, and nothing when there is none: as jinja2's
  // generator does.
  return runtime.iterator(
      [&runtime, subject, arguments, function, source](Value& item) {
        if (!*source) {
          if (!truth(subject)) return false;
          *function = mapped_function(runtime, arguments);
          *source = iterate(runtime, subject);
        }
        if (!(*source)->next(item)) return false;
        item = (*function)(item);
        return true;
      },
      subject);
}

/// What `select` and its kin ask of each item.
std::function<bool(const Value&)> selection(Runtime& runtime, const Arguments& arguments,
                                            bool of_attribute) {
  Arguments rest = arguments;
  Getter get = [](const Value& item) { return item; };
  if (of_attribute) {
    if (rest.positional.empty()) throw RenderError("Missing parameter for attribute name");
    get = attribute_getter(runtime, rest.positional[0]);
    rest.positional.erase(rest.positional.begin());
  }
  if (rest.positional.empty()) return [get](const Value& item) { return truth(get(item)); };
  const std::string name = string_of(rest.positional[0]);
  const Test* test = find_test(name);
  if (!test) throw RenderError("No test named '" + name + "'.");
  rest.positional.erase(rest.positional.begin());
  return [&runtime, get, test, rest](const Value& item) {
    return test->holds(runtime, get(item), rest);
  };
}

template <bool kKeeps, bool kOfAttribute>
Value select(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  auto holds = std::make_shared<std::function<bool(const Value&)>>();
  auto source = std::make_shared<IteratorPointer>();
  return runtime.iterator(
      [&runtime, subject, arguments, holds, source](Value& item) {
        if (!*source) {
          if (!truth(subject)) return false;
          *holds = selection(runtime, arguments, kOfAttribute);
          *source = iterate(runtime, subject);
        }
        while ((*source)->next(item)) {
          runtime.step();
          if ((*holds)(item) == kKeeps) return true;
        }
        return false;
      },
      subject);
}

}  // namespace

void add_choosing_filters(FilterTable& table) {
  table.insert({
      {"attr", {attr}},
      {"d", {default_value}},
      {"default", {default_value}},
      {"map", {map}},
      {"reject", {select<false, false>}},
      {"rejectattr", {select<false, true>}},
      {"select", {select<true, false>}},
      {"selectattr", {select<true, true>}},
  });
}

}  // namespace air::jinja
