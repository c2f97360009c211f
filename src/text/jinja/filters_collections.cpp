// The filters of lists, dicts and whatever else can be gone over.
#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "text/jinja/attributes.h"
#include "text/jinja/library.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

std::vector<Value> all(const Call& call) { return to_vector(call.runtime, call.self); }

/// The items as jinja2's generators give them: read once.
Value read_once(Call& call, std::vector<Value> items) {
  const Value list = call.runtime.list(std::move(items));
  return call.runtime.iterator(
      [source = Cursor(list)](Value& item) mutable { return source.next(item); }, list);
}

/// The text in lower case; any other value as it is.
Value ignore_case(Runtime& runtime, const Value& value) {
  return value.is_string() ? runtime.text(change_case(value.as_text(), Case::kLower)) : value;
}

/// Sorts by keys, each computed once, as Python's sorted().
Value sorted_by(Call& call, const std::vector<Value>& items, const Getter& key, bool reverse) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items) keyed.emplace_back(key(item), item);
  // reverse keeps the order of equals: sort the mirror image, and mirror that.
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return compare(call.runtime, Operator::kLt, a.first, b.first);
  });
  if (reverse) std::reverse(keyed.begin(), keyed.end());
  std::vector<Value> out;
  for (auto& [unused, item] : keyed) out.push_back(std::move(item));
  return call.runtime.list(std::move(out));
}

Value size(Call& call) {
  if (call.self.is_string())
    call.runtime.step(static_cast<int64_t>(call.self.as_text().size() / 64));
  const std::optional<int64_t> length = length_of(call.self);
  if (!length)
    throw RenderError("object of type '" + std::string(type_name(call.self)) + "' has no len()");
  return Value::integer(*length);
}

Value list(Call& call) { return call.runtime.list(all(call)); }

Value first(Call& call) {
  Value out;
  if (Cursor(call.self).next(out)) return out;
  return Value::undefined("No first item, sequence was empty.");
}

Value last(Call& call) {
  if (call.self.is(Kind::kIterator))
    throw RenderError("'" + std::string(type_name(call.self)) + "' object is not reversible");
  const std::vector<Value> items = all(call);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value join(Call& call) {
  const std::string separator = call[0] ? to_text(call.runtime, call.get(0)) : "";
  const Getter get = call.has(1) ? attribute_getter(call.runtime, call.get(1)) : Getter();
  std::string out;
  bool is_first = true;
  for (const Value& item : all(call)) {
    if (!std::exchange(is_first, false)) {
      call.runtime.charge(separator.size());
      out += separator;
    }
    append_text(out, call.runtime, get ? get(item) : item);
  }
  return Value::text(std::move(out));
}

Value reversed(Call& call) {
  std::vector<Value> items = all(call);
  std::reverse(items.begin(), items.end());
  if (call.self.is(Kind::kIterator)) return call.runtime.list(std::move(items));
  if (!call.self.is_string()) return read_once(call, std::move(items));
  std::string out;
  for (const Value& item : items) out += item.as_text();
  return call.made(std::move(out));
}

std::vector<Value> pairs_of(Call& call) {
  if (!call.self.is(Kind::kDict)) throw RenderError("Can only get item pairs from a mapping.");
  std::vector<Value> out;
  for (const auto& [key, value] : call.self.as<Dict>().entries())
    out.push_back(call.runtime.tuple({key, value}));
  return out;
}

Value items(Call& call) {
  return read_once(call, call.self.is_undefined() ? std::vector<Value>() : pairs_of(call));
}

Value dictsort(Call& call) {
  if (call.self.is_undefined()) fail_undefined(call.self);
  const std::string by = call[1] ? call.text(1) : "key";
  if (by != "key" && by != "value")
    throw RenderError("You can only sort by either \"key\" or \"value\"");
  const Getter key = [&](const Value& pair) {
    const Value& part = pair.items()[by == "key" ? 0 : 1];
    return call.truth(0, false) ? part : ignore_case(call.runtime, part);
  };
  return sorted_by(call, pairs_of(call), key, call.truth(2, false));
}

Value sort(Call& call) {
  if (call.has(2) && call.get(2).is_string() && call.text(2).find(',') != std::string::npos)
    throw RenderError("air does not sort by several attributes");
  const Getter get = call.has(2) ? attribute_getter(call.runtime, call.get(2))
                                 : [](const Value& item) { return item; };
  const Getter key = [&](const Value& item) {
    return call.truth(1, false) ? get(item) : ignore_case(call.runtime, get(item));
  };
  return sorted_by(call, all(call), key, call.truth(0, false));
}

Value default_value(Call& call) {
  const bool is_replaced = call.self.is_undefined() || (call.truth(1, false) && !truth(call.self));
  if (!is_replaced) return call.self;
  return call[0] ? call.get(0) : Value::text("");
}

/// The function that `map` applies: a filter by name, or an attribute.
Getter mapped_function(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.empty()) {
    static const Native kByAttribute{"map", nullptr, {"attribute", "default"}, 1};
    const Call call(runtime, kByAttribute, Value(), arguments);
    return attribute_getter(runtime, call.get(0), call.has(1) ? call.get(1) : Value());
  }
  const Value& name = arguments.positional[0];
  const Native* filter = name.is_string() ? find_filter(name.as_text()) : nullptr;
  if (!filter) throw RenderError("No filter named '" + to_text(runtime, name) + "'.");
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin());
  return [&runtime, filter, rest](const Value& item) { return run(runtime, *filter, item, rest); };
}

/// What `select` and its kin ask of each item.
std::function<bool(const Value&)> selection(Runtime& runtime, Arguments arguments,
                                            bool of_attribute) {
  auto& rest = arguments.positional;
  Getter get = [](const Value& item) { return item; };
  if (of_attribute) {
    if (rest.empty()) throw RenderError("Missing parameter for attribute name");
    get = attribute_getter(runtime, rest[0]);
    rest.erase(rest.begin());
  }
  if (rest.empty()) return [get](const Value& item) { return truth(get(item)); };
  const Native* test = rest[0].is_string() ? find_test(rest[0].as_text()) : nullptr;
  if (!test) throw RenderError("No test named '" + to_text(runtime, rest[0]) + "'.");
  rest.erase(rest.begin());
  return [&runtime, get, test, arguments](const Value& item) {
    return truth(run(runtime, *test, get(item), arguments));
  };
}

/// A generator whose function is made when the first item is asked for, and never when there is
/// none: as in jinja2. @param make  of the function that turns an item into the next one and says
/// whether there is one
template <typename Make>
Value lazily(Call& call, Make make) {
  using Step = std::function<bool(Value & item)>;
  auto step = std::make_shared<Step>();
  auto source = std::make_shared<std::optional<Cursor>>();
  return call.runtime.iterator(
      [&runtime = call.runtime, self = call.self, arguments = call.arguments, make, step,
       source](Value& item) {
        if (!*source) {
          if (!truth(self)) return false;
          *step = make(runtime, arguments);
          source->emplace(self);
        }
        while ((*source)->next(item)) {
          runtime.step();
          if ((*step)(item)) return true;
        }
        return false;
      },
      call.self);
}

Value map(Call& call) {
  return lazily(call, [](Runtime& runtime, const Arguments& arguments) {
    return [function = mapped_function(runtime, arguments)](Value& item) {
      item = function(item);
      return true;
    };
  });
}

template <bool kKeeps, bool kOfAttribute>
Value select(Call& call) {
  return lazily(call, [](Runtime& runtime, const Arguments& arguments) {
    return [holds = selection(runtime, arguments, kOfAttribute)](Value& item) {
      return holds(item) == kKeeps;
    };
  });
}

}  // namespace

const std::vector<Native> kCollectionFilters{
    {"count", size},
    {"d", default_value, {"default_value", "boolean"}},
    {"default", default_value, {"default_value", "boolean"}},
    {"dictsort", dictsort, {"case_sensitive", "by", "reverse"}},
    {"first", first},
    {"items", items},
    {"join", join, {"d", "attribute"}},
    {"last", last},
    {"length", size},
    {"list", list},
    {.name = "map", .run = map, .takes_any = true},
    {.name = "reject", .run = select<false, false>, .takes_any = true},
    {.name = "rejectattr", .run = select<false, true>, .takes_any = true},
    {"reverse", reversed},
    {.name = "select", .run = select<true, false>, .takes_any = true},
    {.name = "selectattr", .run = select<true, true>, .takes_any = true},
    {"sort", sort, {"reverse", "case_sensitive", "attribute"}},
};

}  // namespace air::jinja
