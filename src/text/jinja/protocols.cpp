#include "text/jinja/protocols.h"

#include <algorithm>

#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

/// The index of a list or text, from its end when negative; none when it lies outside.
std::optional<int64_t> index_in(int64_t size, int64_t index) {
  if (index < 0) index += size;
  return index >= 0 && index < size ? std::optional(index) : std::nullopt;
}

int64_t slice_bound(const Value& bound) {
  if (bound.is_undefined()) fail_undefined(bound);
  if (!bound.is_integer()) throw RenderError("slice indices must be integers or None");
  return bound.as_integer();
}

void append_items(std::string& out, Budget& budget, const std::vector<Value>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(out, budget, items[i]);
  }
}

void append_dict(std::string& out, Budget& budget, const Dict& dict) {
  out += '{';
  bool is_first = true;
  for (const auto& [key, value] : dict.entries()) {
    if (!is_first) out += ", ";
    is_first = false;
    append_repr(out, budget, key);
    out += ": ";
    append_repr(out, budget, value);
  }
  out += '}';
}

}  // namespace

std::string to_text(Budget& budget, const Value& value) {
  std::string out;
  append_text(out, budget, value);
  return out;
}

void append_text(std::string& out, Budget& budget, const Value& value) {
  if (value.is_undefined()) return;
  if (!value.is_string()) return append_repr(out, budget, value);
  budget.charge(value.as_text().size());
  out += value.as_text();
}

void append_repr(std::string& out, Budget& budget, const Value& value) {
  const Level level(budget);
  budget.step();
  switch (value.kind()) {
    case Kind::kUndefined:
      out += "Undefined";
      return;
    case Kind::kNone:
      out += "None";
      return;
    case Kind::kBool:
      out += value.as_bool() ? "True" : "False";
      return;
    case Kind::kInt:
      out += std::to_string(value.as_integer());
      return;
    case Kind::kFloat:
      out += repr(value.as_float());
      return;
    case Kind::kString: {
      const std::string text = repr(value.as_text());
      budget.charge(text.size());
      out += value.is_markup() ? "Markup(" + text + ")" : text;
      return;
    }
    case Kind::kList:
      out += '[';
      append_items(out, budget, value.items());
      out += ']';
      return;
    case Kind::kTuple:
      out += '(';
      append_items(out, budget, value.items());
      out += value.items().size() == 1 ? ",)" : ")";
      return;
    case Kind::kDict:
      return append_dict(out, budget, value.as<Dict>());
    case Kind::kView:
    case Kind::kRange:
      throw RenderError("air does not write a " + std::string(type_name(value)) +
                        ": make a list of it");
    default:
      throw RenderError("the text of a " + std::string(type_name(value)) +
                        " holds its address in memory");
  }
}

std::optional<int64_t> length_of(const Value& value) {
  if (value.has_items()) return static_cast<int64_t>(value.items().size());
  if (value.is_string()) return length(value.as_text());
  if (value.is(Kind::kDict)) return static_cast<int64_t>(value.as<Dict>().entries().size());
  return value.is_undefined() ? std::optional<int64_t>(0) : std::nullopt;
}

bool is_iterable(const Value& value) {
  return value.has_items() || value.is_string() || value.is(Kind::kDict) || value.is_undefined() ||
         value.is(Kind::kIterator) || value.is(Kind::kLoop);
}

Cursor::Cursor(Value source) : source_(std::move(source)) {
  if (source_.is(Kind::kLoop)) throw RenderError("air does not iterate over the loop variable");
  if (!is_iterable(source_))
    throw RenderError("'" + std::string(type_name(source_)) + "' object is not iterable");
}

bool Cursor::next(Value& item) {
  switch (source_.kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kIterator: {
      const auto& next = source_.as<Iterator>().next;
      if (!next) throw RenderError("a generator is read after the rendering");
      return next(item);
    }
    case Kind::kString: {
      const std::string_view text = source_.as_text();
      if (i_ >= text.size()) return false;
      const size_t size = utf8_length(text[i_]);
      item = Value::character(text.substr(i_, size));
      i_ += size;
      return true;
    }
    case Kind::kDict: {
      const auto& entries = source_.as<Dict>().entries();
      if (i_ >= entries.size()) return false;
      item = entries[i_++].first;
      return true;
    }
    default:
      if (i_ >= source_.items().size()) return false;
      item = source_.items()[i_++];
      return true;
  }
}

std::vector<Value> to_vector(Runtime& runtime, const Value& value) {
  if (value.has_items()) return value.items();
  std::vector<Value> out;
  Cursor cursor(value);
  for (Value item; cursor.next(item);) {
    runtime.charge(kItemBytes);
    out.push_back(std::move(item));
  }
  return out;
}

std::optional<Value> subscript(Runtime& runtime, const Value& value, const Value& key) {
  if (value.is_undefined()) fail_undefined(value);
  if (value.is(Kind::kDict)) {
    const bool is_hashable = !key.is(Kind::kList) && !key.is(Kind::kDict);
    const Value* found = is_hashable ? value.as<Dict>().find(runtime, key) : nullptr;
    return found ? std::optional(*found) : std::nullopt;
  }
  if (!key.is_integer()) return std::nullopt;
  if (value.has_items() && !value.is(Kind::kView)) {
    const auto i = index_in(static_cast<int64_t>(value.items().size()), key.as_integer());
    return i ? std::optional(value.items()[static_cast<size_t>(*i)]) : std::nullopt;
  }
  if (!value.is_string()) return std::nullopt;
  const std::string_view text = value.as_text();
  runtime.step(static_cast<int64_t>(text.size() / 64));
  const auto i = index_in(length(text), key.as_integer());
  if (!i) return std::nullopt;
  const size_t begin = byte_of(text, *i);
  const std::string_view character = text.substr(begin, utf8_length(text[begin]));
  return value.is_markup() ? Value::text(std::string(character), true)
                           : Value::character(character);
}

Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_string() && !value.is_sequence())
    throw RenderError("'" + std::string(type_name(value)) +
                      "' object is not subscriptable by a slice");
  const int64_t by = step.is(Kind::kNone) ? 1 : slice_bound(step);
  if (by == 0) throw RenderError("slice step cannot be zero");
  const int64_t size = *length_of(value);
  const int64_t low = by < 0 ? -1 : 0, high = by < 0 ? size - 1 : size;
  const auto clamp = [&](const Value& bound, int64_t otherwise) {
    if (bound.is(Kind::kNone)) return otherwise;
    const int64_t index = slice_bound(bound);
    return std::clamp(index < 0 ? std::max(index, -size - 1) + size : index, low, high);
  };
  const int64_t begin = clamp(start, by < 0 ? high : low), end = clamp(stop, by < 0 ? low : high);
  if (value.is_string() && by == 1) {
    const std::string_view rest =
        std::string_view(value.as_text()).substr(byte_of(value.as_text(), begin));
    const size_t count = end > begin ? byte_of(rest, end - begin) : 0;
    runtime.step(size / 64);
    return runtime.text(std::string(rest.substr(0, count)), value.is_markup());
  }
  const std::vector<Value> all = to_vector(runtime, value);
  std::vector<Value> items;
  const auto is_inside = [&](int64_t i) { return by > 0 ? i < end : i > end; };
  // Beyond `size` in either direction one step is as good as another, and does not overflow.
  const int64_t stride = std::clamp(by, -size - 1, size + 1);
  for (int64_t i = begin; is_inside(i); i += stride) items.push_back(all[static_cast<size_t>(i)]);
  if (!value.is_string()) return runtime.list(std::move(items), value.kind());
  std::string text;
  for (const Value& item : items) text += item.as_text();
  return runtime.text(std::move(text), value.is_markup());
}

}  // namespace air::jinja
