#include "text/jinja/value.h"

#include <algorithm>
#include <array>

#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"

namespace air::jinja {

namespace {

constexpr size_t kIndexedFrom = 16;  // entries; below, comparing keys one by one is faster

std::string_view name_of(Value::Kind kind) {
  constexpr std::string_view kNames[] = {"Undefined", "NoneType",  "bool",       "int",
                                         "float",     "str",       "list",       "tuple",
                                         "dict",      "dict view", "range",      "Namespace",
                                         "generator", "function",  "LoopContext"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

Value Value::boolean(bool value) {
  Value out(Kind::kBool);
  out.number_.integer = value ? 1 : 0;
  return out;
}

Value Value::integer(int64_t value) {
  Value out(Kind::kInt);
  out.number_.integer = value;
  return out;
}

Value Value::number(double value) {
  Value out(Kind::kFloat);
  out.number_.real = value;
  return out;
}

Value Value::text(std::string text, bool is_markup) {
  Value out(Kind::kString, std::make_shared<Text>(std::move(text)));
  out.is_markup_ = is_markup;
  return out;
}

Value Value::character(std::string_view text) {
  static const std::array<Value, 128> kAscii = [] {
    std::array<Value, 128> out;
    for (size_t c = 0; c < out.size(); ++c)
      out[c] = Value::text(std::string(1, static_cast<char>(c)));
    return out;
  }();
  return text.size() == 1 ? kAscii[static_cast<unsigned char>(text[0])]
                          : Value::text(std::string(text));
}

Value Value::sequence(Kind kind, std::vector<Value> items) {
  auto object = std::make_shared<Sequence>();
  for (const Value& item : items) object->depth = std::max(object->depth, item.depth() + 1);
  object->items = std::move(items);
  return Value::of(kind, std::move(object));
}

Value Value::undefined(std::string hint) {
  return Value(Kind::kUndefined, std::make_shared<Text>(std::move(hint)));
}

Value Value::missing(const Value& owner, const Value& name) {
  Value out(Kind::kUndefined, name.object_);
  out.owner_ = owner.kind_;
  return out;
}

double Value::as_float() const {
  return kind_ == Kind::kFloat ? number_.real : static_cast<double>(number_.integer);
}

const std::string& Value::as_text() const { return as<Text>().text; }
const std::vector<Value>& Value::items() const { return as<Sequence>().items; }

std::string Value::hint() const {
  if (!object_) return "an undefined value is used";
  const std::string& text = as<Text>().text;
  if (owner_ == Kind::kUndefined) return text;
  const std::string owner =
      owner_ == Kind::kNone ? "None" : std::string(name_of(owner_)) + " object";
  return "'" + owner + "' has no attribute '" + text + "'";
}

size_t Dict::position(std::string_view key) const {
  if (!index_.empty()) {
    const auto it = index_.find(key);
    return it == index_.end() ? entries_.size() : it->second;
  }
  const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry.first.is_string() && entry.first.as_text() == key;
  });
  return static_cast<size_t>(it - entries_.begin());
}

size_t Dict::position(Budget& budget, const Value& key) const {
  if (key.is_string()) return position(key.as_text());
  if (key.is_undefined()) return entries_.size();
  if (!key.is_number() && !key.is(Value::Kind::kNone) && !key.is(Value::Kind::kTuple))
    throw RenderError("air does not take a " + std::string(type_name(key)) + " for a key");
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const auto& entry) { return equal(budget, entry.first, key); });
  return static_cast<size_t>(it - entries_.begin());
}

const Value* Dict::find(Budget& budget, const Value& key) const {
  const size_t i = position(budget, key);
  return i < entries_.size() ? &entries_[i].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  const size_t i = position(key);
  return i < entries_.size() ? &entries_[i].second : nullptr;
}

void Dict::set(Budget& budget, Value key, Value value) {
  budget.step();
  if (key.is_undefined()) fail_undefined(key);
  const size_t i = position(budget, key);
  depth = std::max(depth, budget.depth_around(std::max(key.depth(), value.depth())));
  if (i < entries_.size()) {
    entries_[i].second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() <= kIndexedFrom) return;
  // The index refers to the texts that the entries share, which do not move.
  for (size_t j = index_.empty() ? 0 : i; j < entries_.size(); ++j)
    if (entries_[j].first.is_string()) index_.emplace(entries_[j].first.as_text(), j);
}

std::string_view type_name(const Value& value) {
  return value.is_markup() ? "Markup" : name_of(value.kind());
}

}  // namespace air::jinja
