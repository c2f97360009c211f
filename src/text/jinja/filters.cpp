#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "text/jinja/attributes.h"
#include "text/jinja/json_dump.h"
#include "text/jinja/library.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/jinja/text_methods.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

// ---- what several filters share ----

/// A function of a value: what `attribute=` and the like name.
using Getter = std::function<Value(const Value&)>;

Value ignore_case(Runtime& runtime, const Value& value) {
  return value.is_string() ? runtime.text(change_case(value.as_text(), Case::kLower)) : value;
}

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

Getter attribute_getter(Runtime& runtime, const Value& attribute,
                        std::optional<Value> otherwise = std::nullopt) {
  return [&runtime, path = path_of(attribute), otherwise](const Value& item) {
    Value out = item;
    for (const Value& key : path) {
      out = get_item(runtime, out, key);
      if (out.is_undefined() && otherwise) out = *otherwise;
    }
    return out;
  };
}

/// What `sort`, `unique`, `min`, … compare: the item or its attribute, in lower case unless case
/// counts.
Getter key_getter(Runtime& runtime, const Value* attribute, bool case_sensitive) {
  const bool has_attribute = attribute && !attribute->is(Kind::kNone);
  Getter get = has_attribute ? attribute_getter(runtime, *attribute)
                             : [](const Value& item) { return item; };
  if (case_sensitive) return get;
  return [&runtime, get](const Value& item) { return ignore_case(runtime, get(item)); };
}

/// Sorts by keys, each computed once, as Python's sorted().
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

// ---- text ----

template <Case kCase>
Value cased(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("a filter of case", arguments, {});
  return made(runtime, subject, change_case(soft_text(runtime, subject), kCase));
}

/// Words begin after white space and opening brackets; the rest of them is lower case.
Value title(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("title", arguments, {});
  const std::string text = soft_text(runtime, subject);
  const auto parts_words = [](char32_t c) {
    return is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i, next = i;
    const bool is_gap = parts_words(next_code_point(text, next));
    for (; next <= text.size();) {
      end = next;
      if (next >= text.size() || parts_words(next_code_point(text, next)) != is_gap) break;
    }
    const std::string_view word = std::string_view(text).substr(i, end - i);
    const size_t first = utf8_length(word[0]);
    out += change_case(word.substr(0, first), Case::kUpper) +
           change_case(word.substr(first), Case::kLower);
    i = end;
  }
  return runtime.text(std::move(out));
}

Value trim(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("trim", arguments, {"chars"});
  const std::string text = soft_text(runtime, subject);
  if (!parameters.has(0)) return made(runtime, subject, std::string(strip(text, Side::kBoth)));
  return made(runtime, subject, std::string(strip(text, Side::kBoth, parameters.text(0, ""))));
}

Value replaced(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("replace", arguments, {"old", "new", "count"}, 2);
  const std::string text = to_text(runtime, subject), old = to_text(runtime, parameters.get(0)),
                    with = to_text(runtime, parameters.get(1));
  return Value::text(
      replace(runtime, text, old, with, parameters.has(2) ? parameters.integer(2, -1) : -1));
}

Value string(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("string", arguments, {});
  return subject.is_string() ? subject : Value::text(to_text(runtime, subject));
}

Value safe(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("safe", arguments, {});
  return Value::text(to_text(runtime, subject), true);
}

Value escape(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("escape", arguments, {});
  if (subject.is_markup()) return subject;
  return runtime.text(escape_html(to_text(runtime, subject)), true);
}

Value indent(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("indent", arguments, {"width", "first", "blank"});
  const bool first = parameters.truth(1, false), blank = parameters.truth(2, false);
  std::string indention;
  if (parameters[0] && parameters.get(0).is_string()) {
    indention = parameters.get(0).as_text();
  } else {
    const int64_t width = std::max<int64_t>(parameters.integer(0, 4), 0);
    if (width > INT32_MAX) throw RenderError("the template makes too much text");
    runtime.charge(static_cast<size_t>(width));
    indention.assign(static_cast<size_t>(width), ' ');
  }
  const std::string text = string_of(subject) + "\n";
  std::string out = first ? indention : "";
  bool is_first = true;
  for (const std::string_view line : split_lines(text, false)) {
    runtime.charge(line.size() + indention.size() + 1);
    if (!is_first) out += '\n';
    if (!is_first && (blank || !line.empty())) out += indention;
    is_first = false;
    out += line;
  }
  return Value::text(std::move(out), subject.is_markup());
}

Value center(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("center", arguments, {"width"});
  Arguments width;
  width.positional = {Value::integer(parameters.integer(0, 80))};
  return text_methods().at("center")(runtime, made(runtime, subject, soft_text(runtime, subject)),
                                     width);
}

Value truncate(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::string& text = string_of(subject);
  const std::string end = parameters.text(2, "...");
  const int64_t most = parameters.integer(0, 255),
                leeway = parameters.has(3) ? parameters.integer(3, 5) : 5;
  if (most < length(end) || leeway < 0)
    throw RenderError("truncate() got a length that is too small");
  if (length(text) - leeway <= most) return subject;
  std::string kept = text.substr(0, byte_of(text, most - length(end)));
  if (!parameters.truth(1, false)) kept = kept.substr(0, kept.rfind(' '));
  return made(runtime, subject, kept + end);
}

Value wordcount(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("wordcount", arguments, {});
  const std::string text = soft_text(runtime, subject);
  int64_t count = 0;
  bool in_word = false;
  for (const std::string_view c : characters(text)) {
    const bool is_word = c == "_" || has_property(c, "isalnum");
    count += is_word && !in_word ? 1 : 0;
    in_word = is_word;
  }
  return Value::integer(count);
}

Value format(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  if (!arguments.positional.empty() && !arguments.named.empty())
    throw RenderError("can't handle positional and keyword arguments at the same time");
  const Value text = made(runtime, subject, soft_text(runtime, subject));
  if (arguments.named.empty())
    return percent_format(runtime, text, runtime.tuple(arguments.positional));
  auto dict = std::make_shared<Dict>();
  for (const auto& [name, value] : arguments.named) dict->set(runtime, Value::text(name), value);
  return percent_format(runtime, text, runtime.dict(dict));
}

Value tojson(Runtime& runtime, const Value& subject, const Arguments& arguments) {
  const Parameters parameters("tojson", arguments,
                              {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonForm form;
  form.ensure_ascii = parameters.truth(0, false);
  form.sort_keys = parameters.truth(3, false);
  if (parameters.has(1)) {
    const bool is_text = parameters.get(1).is_string();
    const int64_t width = is_text ? 0 : std::max<int64_t>(parameters.integer(1, 0), 0);
    if (width > INT32_MAX) throw RenderError("the template makes too much text");
    runtime.charge(static_cast<size_t>(width));
    form.indent =
        is_text ? parameters.get(1).as_text() : std::string(static_cast<size_t>(width), ' ');
    form.item_separator = ",";
  }
  if (parameters.has(2)) {
    const std::vector<Value> separators = to_vector(runtime, parameters.get(2));
    if (separators.size() != 2) throw RenderError("tojson() needs two separators");
    form.item_separator = string_of(separators[0]);
    form.key_separator = string_of(separators[1]);
  }
  return Value::text(dump_json(runtime, subject, form));
}

// ---- numbers ----

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

// ---- collections ----

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
  const std::optional<Value> otherwise =
      parameters.has(1) ? std::optional(parameters.get(1)) : std::nullopt;
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
    const std::optional<Value> otherwise =
        parameters.has(1) ? std::optional(parameters.get(1)) : std::nullopt;
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

template <const char* kName>
Value not_known(Runtime&, const Value&, const Arguments&) {
  throw RenderError(std::string("air does not know jinja2's filter '") + kName + "'");
}
constexpr char kFileSize[] = "filesizeformat", kPprint[] = "pprint", kRandom[] = "random",
               kStripTags[] = "striptags", kUrlEncode[] = "urlencode", kUrlize[] = "urlize",
               kWordWrap[] = "wordwrap", kXmlAttr[] = "xmlattr", kForceEscape[] = "forceescape";

}  // namespace

const Filter* find_filter(std::string_view name) {
  static const std::unordered_map<std::string_view, Filter> kFilters{
      {"abs", {absolute}},
      {"attr", {attr}},
      {"batch", {batch}},
      {"capitalize", {cased<Case::kCapitalize>}},
      {"center", {center}},
      {"count", {size}},
      {"d", {default_value}},
      {"default", {default_value}},
      {"dictsort", {dictsort}},
      {"e", {escape}},
      {"escape", {escape}},
      {"filesizeformat", {not_known<kFileSize>}},
      {"first", {first}},
      {"float", {real}},
      {"forceescape", {not_known<kForceEscape>}},
      {"format", {format}},
      {"groupby", {groupby}},
      {"indent", {indent}},
      {"int", {integer}},
      {"items", {items}},
      {"join", {join}},
      {"last", {last}},
      {"length", {size}},
      {"list", {list}},
      {"lower", {cased<Case::kLower>}},
      {"map", {map}},
      {"max", {extreme<true>}},
      {"min", {extreme<false>}},
      {"pprint", {not_known<kPprint>}},
      {"random", {not_known<kRandom>}},
      {"reject", {select<false, false>}},
      {"rejectattr", {select<false, true>}},
      {"replace", {replaced}},
      {"reverse", {reversed}},
      {"round", {rounded}},
      {"safe", {safe}},
      {"select", {select<true, false>}},
      {"selectattr", {select<true, true>}},
      {"slice", {slices}},
      {"sort", {sort}},
      {"string", {string}},
      {"striptags", {not_known<kStripTags>}},
      {"sum", {sum}},
      {"title", {title}},
      {"tojson", {tojson}},
      {"trim", {trim}},
      {"truncate", {truncate}},
      {"unique", {unique}},
      {"upper", {cased<Case::kUpper>}},
      {"urlencode", {not_known<kUrlEncode>}},
      {"urlize", {not_known<kUrlize>}},
      {"wordcount", {wordcount}},
      {"wordwrap", {not_known<kWordWrap>}},
      {"xmlattr", {not_known<kXmlAttr>}},
  };
  const auto it = kFilters.find(name);
  return it == kFilters.end() ? nullptr : &it->second;
}

}  // namespace air::jinja
