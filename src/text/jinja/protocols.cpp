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

int64_t slice_bound(const Value& bound, const char* what) {
  if (bound.is_undefined()) fail_undefined(bound);
  if (!bound.is_integer())
    throw RenderError(std::string("slice indices must be integers or None (") + what + ")");
  return bound.as_integer();
}

void append_items(std::string& out, Budget& budget, const std::vector<Value>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(out, budget, items[i]);
  }
}

void append_dict(std::string& out, Budget& budget,
                 const std::vector<std::pair<Value, Value>>& entries) {
  out += '{';
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(out, budget, entries[i].first);
    out += ": ";
    append_repr(out, budget, entries[i].second);
  }
  out += '}';
}

}  // namespace

std::string to_text(Budget& budget, const Value& value) {
  std::string out;
  append_text(out, budget, value);
  return out;
}

std::string soft_text(Budget& budget, const Value& value) {
  return value.is_string() ? value.as_text() : to_text(budget, value);
}

void append_text(std::string& out, Budget& budget, const Value& value) {
  if (value.is_undefined()) return;
  if (!value.is_string()) return append_repr(out, budget, value);
  budget.charge(value.as_text().size());
  out += value.as_text();
}

void append_repr(std::string& out, Budget& budget, const Value& value) {
  const Level level(budget);
  const size_t before = out.size();
  switch (value.kind()) {
    case Kind::kUndefined:
      out += "Undefined";
      break;
    case Kind::kNone:
      out += "None";
      break;
    case Kind::kBool:
      out += value.as_bool() ? "True" : "False";
      break;
    case Kind::kInt:
      out += std::to_string(value.as_integer());
      break;
    case Kind::kFloat:
      out += repr(value.as_float());
      break;
    case Kind::kString:
      if (value.is_markup()) out += "Markup(";
      out += repr(value.as_text());
      if (value.is_markup()) out += ')';
      budget.charge(out.size() - before);
      break;
    case Kind::kList:
      out += '[';
      append_items(out, budget, value.items());
      out += ']';
      break;
    case Kind::kTuple:
      out += '(';
      append_items(out, budget, value.items());
      out += value.items().size() == 1 ? ",)" : ")";
      break;
    case Kind::kDict:
      append_dict(out, budget, value.as<Dict>().entries());
      break;
    case Kind::kRange: {
      const auto& range = value.as<Range>();
      out += "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
      out += range.step == 1 ? ")" : ", " + std::to_string(range.step) + ")";
      break;
    }
    case Kind::kView: {
      const auto& view = value.as<View>();
      out.append(type_name(value)).append("([");
      for (size_t i = 0; i < view.dict->entries().size(); ++i) {
        if (i > 0) out += ", ";
        append_repr(out, budget, view.at(i));
      }
      out += "])";
      break;
    }
    default:
      throw RenderError("the text of a " + std::string(type_name(value)) +
                        " holds its address in memory");
  }
  budget.step();
}

std::optional<int64_t> length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return length(value.as_text());
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.items().size());
    case Kind::kDict:
      return static_cast<int64_t>(value.as<Dict>().entries().size());
    case Kind::kView:
      return static_cast<int64_t>(value.as<View>().dict->entries().size());
    case Kind::kRange:
      return value.as<Range>().size;
    default:
      return std::nullopt;
  }
}

bool is_iterable(const Value& value) {
  return length_of(value) || value.is(Kind::kIterator) || value.is(Kind::kLoop);
}

IteratorPointer iterate(Runtime& runtime, const Value& value) {
  if (value.is(Kind::kIterator)) return std::static_pointer_cast<Iterator>(value.object());
  auto out = std::make_shared<Iterator>();
  switch (value.kind()) {
    case Kind::kUndefined:
      out->next = [](Value&) { return false; };
      break;
    case Kind::kString:
      out->next = [value, i = size_t{0}](Value& item) mutable {
        const std::string& text = value.as_text();
        if (i >= text.size()) return false;
        const size_t size = utf8_length(text[i]);
        item = Value::text(text.substr(i, size));
        i += size;
        return true;
      };
      break;
    case Kind::kList:
    case Kind::kTuple:
      out->next = [value, i = size_t{0}](Value& item) mutable {
        if (i >= value.items().size()) return false;
        item = value.items()[i++];
        return true;
      };
      break;
    case Kind::kDict:
    case Kind::kView: {
      auto view = std::make_shared<View>();
      if (value.is(Kind::kDict))
        view->dict = std::static_pointer_cast<Dict>(value.object());
      else
        view = std::static_pointer_cast<View>(value.object());
      out->next = [view, i = size_t{0}](Value& item) mutable {
        if (i >= view->dict->entries().size()) return false;
        item = view->at(i++);
        return true;
      };
      break;
    }
    case Kind::kRange:
      out->next = [value, i = int64_t{0}](Value& item) mutable {
        const auto& range = value.as<Range>();
        if (i >= range.size) return false;
        item = Value::integer(range.start + range.step * i++);
        return true;
      };
      break;
    case Kind::kLoop:
      throw RenderError("air does not iterate over the loop variable");
    default:
      throw RenderError("'" + std::string(type_name(value)) + "' object is not iterable");
  }
  runtime.step();
  return out;
}

std::vector<Value> to_vector(Runtime& runtime, const Value& value) {
  if (value.is_sequence()) return value.items();
  std::vector<Value> out;
  const IteratorPointer iterator = iterate(runtime, value);
  for (Value item; iterator->next(item);) {
    runtime.charge(kItemBytes);
    out.push_back(std::move(item));
  }
  return out;
}

std::optional<Value> subscript(Runtime& runtime, const Value& value, const Value& key) {
  switch (value.kind()) {
    case Kind::kUndefined:
      fail_undefined(value);
    case Kind::kDict: {
      const bool hashable = !key.is(Kind::kList) && !key.is(Kind::kDict);
      const Value* found = hashable ? value.as<Dict>().find(runtime, key) : nullptr;
      return found ? std::optional(*found) : std::nullopt;
    }
    case Kind::kList:
    case Kind::kTuple: {
      if (!key.is_integer()) return std::nullopt;
      const auto i = index_in(static_cast<int64_t>(value.items().size()), key.as_integer());
      return i ? std::optional(value.items()[static_cast<size_t>(*i)]) : std::nullopt;
    }
    case Kind::kString: {
      if (!key.is_integer()) return std::nullopt;
      const std::string& text = value.as_text();
      runtime.step(static_cast<int64_t>(text.size() / 64));
      const auto i = index_in(length(text), key.as_integer());
      if (!i) return std::nullopt;
      const size_t begin = byte_of(text, *i);
      return Value::text(text.substr(begin, utf8_length(text[begin])), value.is_markup());
    }
    case Kind::kRange: {
      const auto& range = value.as<Range>();
      const auto i = key.is_integer() ? index_in(range.size, key.as_integer()) : std::nullopt;
      return i ? std::optional(Value::integer(range.start + range.step * *i)) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

Value slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
            const Value& step) {
  if (value.is_undefined()) fail_undefined(value);
  if (!value.is_string() && !value.is_sequence())
    throw RenderError("'" + std::string(type_name(value)) +
                      "' object is not subscriptable by a slice");
  const int64_t by = step.is(Kind::kNone) ? 1 : slice_bound(step, "step");
  if (by == 0) throw RenderError("slice step cannot be zero");
  const std::vector<std::string_view> parts =
      value.is_string() && by != 1 ? characters(value.as_text()) : std::vector<std::string_view>();
  const int64_t size = *length_of(value);
  runtime.charge(value.is_string() ? value.as_text().size() : 0);
  const int64_t low = by < 0 ? -1 : 0, high = by < 0 ? size - 1 : size;
  const auto clamp = [&](const Value& bound, int64_t otherwise) {
    if (bound.is(Kind::kNone)) return otherwise;
    const int64_t index = slice_bound(bound, "bounds");
    return std::clamp(index < 0 ? std::max(index, -size - 1) + size : index, low, high);
  };
  const int64_t begin = clamp(start, by < 0 ? high : low), end = clamp(stop, by < 0 ? low : high);
  if (value.is_string() && by == 1) {
    const std::string& text = value.as_text();
    const size_t first = byte_of(text, begin);
    const size_t count =
        end > begin ? byte_of(std::string_view(text).substr(first), end - begin) : 0;
    return Value::text(text.substr(first, count), value.is_markup());
  }
  std::string text;
  std::vector<Value> items;
  const auto take = [&](int64_t i) {
    if (value.is_string())
      text += parts[static_cast<size_t>(i)];
    else
      items.push_back(*subscript(runtime, value, Value::integer(i)));
  };
  // Counted, so that a step of the largest integer does not overflow.
  const uint64_t gap = by > 0 ? static_cast<uint64_t>(std::max<int64_t>(end - begin, 0))
                              : static_cast<uint64_t>(std::max<int64_t>(begin - end, 0));
  const uint64_t stride =
      by > 0 ? static_cast<uint64_t>(by) : uint64_t{0} - static_cast<uint64_t>(by);
  const uint64_t count = gap == 0 ? 0 : (gap - 1) / stride + 1;
  for (uint64_t i = 0; i < count; ++i) take(begin + static_cast<int64_t>(i) * by);
  if (value.is_string()) return runtime.text(std::move(text), value.is_markup());
  return runtime.list(std::move(items), value.is(Kind::kTuple) ? Kind::kTuple : Kind::kList);
}

}  // namespace air::jinja
