#include <algorithm>

#include "text/jinja/filter_support.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

Value size(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("length", arguments, {});
  if (subject.is_string()) runtime.step(static_cast<int64_t>(subject.as_text().size() / 64));
  const std::optional<int64_t> length = length_of(subject);
  if (!length)
    throw RenderError("object of type '" + std::string(type_name(subject)) + "' has no len()");
  return Value::integer(*length);
}

Value list(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("list", arguments, {});
  return runtime.list(to_vector(runtime, subject));
}

Value first(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("first", arguments, {});
  Value out;
  if (iterate(runtime, subject)->next(out)) return out;
  return Value::undefined("No first item, sequence was empty.");
}

Value last(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("last", arguments, {});
  if (subject.is(Kind::kIterator) || !is_iterable(subject))
    throw RenderError("'" + std::string(type_name(subject)) + "' object is not reversible");
  const std::vector<Value> items = to_vector(runtime, subject);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value join(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("join", arguments, {"d", "attribute"});
  const std::string separator = parameters[0] ? to_text(runtime, parameters.get(0)) : "";
  const Getter get = parameters.has(1) ? attribute_getter(runtime, parameters.get(1)) : Getter();
  std::string out;
  bool is_first = true;
  for (const Value& item : to_vector(runtime, subject)) {
    if (!is_first) {
      runtime.charge(separator.size());
      out += separator;
    }
    is_first = false;
    append_text(out, runtime, get ? get(item) : item);
  }
  return Value::text(std::move(out));
}

Value reversed(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("reverse", arguments, {});
  std::vector<Value> items = to_vector(runtime, subject);
  std::reverse(items.begin(), items.end());
  if (subject.is_string()) {
    std::string out;
    for (const Value& item : items) out += item.as_text();
    return made(runtime, subject, std::move(out));
  }
  const Value list = runtime.list(std::move(items));
  if (subject.is(Kind::kIterator)) return list;
  return runtime.iterator(
      [source = iterate(runtime, list)](Value& item) { return source->next(item); }, list);
}

Value items(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("items", arguments, {});
  if (!subject.is_undefined() && !subject.is(Kind::kDict)) {
    return runtime.iterator(
        [](Value&) -> bool { throw RenderError("Can only get item pairs from a mapping."); },
        subject);
  }
  return runtime.iterator(
      [subject, i = size_t{0}](Value& item) mutable {
        if (subject.is_undefined() || i >= subject.as<Dict>().entries().size()) return false;
        const auto& [key, value] = subject.as<Dict>().entries()[i++];
        item = Value::tuple({key, value});
        return true;
      },
      subject);
}

Value dictsort(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = parameters.text(1, "key");
  if (by != "key" && by != "value")
    throw RenderError("You can only sort by either \"key\" or \"value\"");
  if (subject.is_undefined()) fail_undefined(subject);
  if (!subject.is(Kind::kDict))
    throw RenderError("'" + std::string(type_name(subject)) + "' object has no attribute 'items'");
  std::vector<Value> pairs;
  for (const auto& [key, value] : subject.as<Dict>().entries())
    pairs.push_back(runtime.tuple({key, value}));
  const bool case_sensitive = parameters.truth(0, false);
  const Getter key = [&](const Value& pair) {
    const Value& part = pair.items()[by == "key" ? 0 : 1];
    return case_sensitive ? part : ignore_case(runtime, part);
  };
  return runtime.list(sorted_by(runtime, pairs, key, parameters.truth(2, false)));
}

Value sort(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const bool case_sensitive = parameters.truth(1, false);
  std::vector<Getter> getters;
  if (parameters[2] && parameters.get(2).is_string()) {
    for (const std::string_view part : split_at(parameters.get(2).as_text(), ",", -1, false)) {
      const Value attribute = Value::text(std::string(part));
      getters.push_back(key_getter(runtime, &attribute, case_sensitive));
    }
  } else {
    getters.push_back(key_getter(runtime, parameters[2], case_sensitive));
  }
  const Getter key = [&](const Value& item) {
    std::vector<Value> keys;
    for (const Getter& get : getters) keys.push_back(get(item));
    return runtime.list(std::move(keys));
  };
  return runtime.list(
      sorted_by(runtime, to_vector(runtime, subject), key, parameters.truth(0, false)));
}

Value unique(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("unique", arguments, {"case_sensitive", "attribute"});
  const Getter key = key_getter(runtime, parameters[1], parameters.truth(0, false));
  auto seen = std::make_shared<Dict>();
  return runtime.iterator(
      [&runtime, key, seen, source = iterate(runtime, subject)](Value& item) {
        while (source->next(item)) {
          const Value now = key(item);
          if (seen->find(runtime, now)) continue;
          seen->set(runtime, now, Value::none());
          return true;
        }
        return false;
      },
      subject);
}

template <bool kMax>
Value extreme(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("min or max", arguments, {"case_sensitive", "attribute"});
  const Getter key = key_getter(runtime, parameters[1], parameters.truth(0, false));
  std::optional<std::pair<Value, Value>> best;
  for (const Value& item : to_vector(runtime, subject)) {
    Value now = key(item);
    if (!best || compare(runtime, kMax ? Operator::kGt : Operator::kLt, now, best->first))
      best = {std::move(now), item};
  }
  return best ? best->second : Value::undefined("No aggregated item, sequence was empty.");
}

Value batch(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("batch", arguments, {"linecount", "fill_with"}, 1);
  const int64_t count = parameters.integer(0, 1);
  if (count < 1) throw RenderError("air needs batches of one item or more");
  const std::vector<Value> items = to_vector(runtime, subject);
  std::vector<Value> out;
  for (size_t i = 0; i < items.size(); i += static_cast<size_t>(count)) {
    std::vector<Value> part;
    for (size_t j = i; j < items.size() && j < i + static_cast<size_t>(count); ++j)
      part.push_back(items[j]);
    while (parameters.has(1) && part.size() < static_cast<size_t>(count)) {
      runtime.charge(kItemBytes);
      part.push_back(parameters.get(1));
    }
    out.push_back(runtime.list(std::move(part)));
  }
  const Value list = runtime.list(std::move(out));
  return runtime.iterator(
      [source = iterate(runtime, list)](Value& item) { return source->next(item); }, list);
}

Value slices(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("slice", arguments, {"slices", "fill_with"}, 1);
  const int64_t count = parameters.integer(0, 1);
  if (count < 1) throw RenderError("air needs one slice or more");
  const std::vector<Value> items = to_vector(runtime, subject);
  const auto size = static_cast<int64_t>(items.size());
  std::vector<Value> out;
  for (int64_t number = 0, begin = 0; number < count; ++number) {
    runtime.charge(kItemBytes);
    const int64_t end = begin + size / count + (number < size % count ? 1 : 0);
    std::vector<Value> part(items.begin() + begin, items.begin() + end);
    if (parameters.has(1) && number >= size % count) part.push_back(parameters.get(1));
    out.push_back(runtime.list(std::move(part)));
    begin = end;
  }
  const Value list = runtime.list(std::move(out));
  return runtime.iterator(
      [source = iterate(runtime, list)](Value& item) { return source->next(item); }, list);
}

Value groupby(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const bool case_sensitive = parameters.truth(2, false);
  const Value otherwise = parameters.has(1) ? parameters.get(1) : Value();
  const Getter get = attribute_getter(runtime, parameters.get(0), otherwise);
  const Getter key = [&](const Value& item) {
    return case_sensitive ? get(item) : ignore_case(runtime, get(item));
  };
  const std::vector<Value> items = sorted_by(runtime, to_vector(runtime, subject), key, false);
  std::vector<Value> out;
  for (size_t i = 0; i < items.size();) {
    const Value group = key(items[i]);
    std::vector<Value> part;
    size_t j = i;
    while (j < items.size() && equal(runtime, key(items[j]), group)) part.push_back(items[j++]);
    out.push_back(runtime.tuple({get(items[i]), runtime.list(std::move(part))}));
    i = j;
  }
  return runtime.list(std::move(out));
}

}  // namespace

void add_collection_filters(FilterTable& table) {
  table.insert({
      {"batch", {batch}},
      {"count", {size}},
      {"dictsort", {dictsort}},
      {"first", {first}},
      {"groupby", {groupby}},
      {"items", {items}},
      {"join", {join}},
      {"last", {last}},
      {"length", {size}},
      {"list", {list}},
      {"max", {extreme<true>}},
      {"min", {extreme<false>}},
      {"reverse", {reversed}},
      {"slice", {slices}},
      {"sort", {sort}},
      {"unique", {unique}},
  });
}

}  // namespace air::jinja
