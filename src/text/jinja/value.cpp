#include "text/jinja/value.h"

#include <algorithm>

#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"

namespace air::jinja {

namespace {

constexpr size_t kIndexedFrom = 16;  // entries; below, comparing keys one by one is faster

Value sequence(Value::Kind kind, std::vector<Value> items) {
  auto object = std::make_shared<Sequence>();
  for (const Value& item : items) object->depth = std::max(object->depth, item.depth() + 1);
  object->items = std::move(items);
  return Value::of(kind, std::move(object));
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

Value Value::list(std::vector<Value> items) { return sequence(Kind::kList, std::move(items)); }
Value Value::tuple(std::vector<Value> items) { return sequence(Kind::kTuple, std::move(items)); }

Value Value::undefined(std::string hint) {
  return Value(Kind::kUndefined, std::make_shared<Text>(std::move(hint)));
}

double Value::as_float() const {
  return kind_ == Kind::kFloat ? number_.real : static_cast<double>(number_.integer);
}

const std::string& Value::as_text() const { return as<Text>().text; }
const std::vector<Value>& Value::items() const { return as<Sequence>().items; }

size_t Dict::position(Budget& budget, const Value& key, size_t hash) const {
  if (index_.empty()) {
    for (size_t i = 0; i < entries_.size(); ++i)
      if (equal(budget, entries_[i].first, key)) return i;
    return entries_.size();
  }
  const auto [first, last] = index_.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (equal(budget, entries_[it->second].first, key)) return it->second;
  return entries_.size();
}

const Value* Dict::find(Budget& budget, const Value& key) const {
  const size_t i = position(budget, key, hash_of(budget, key));
  return i < entries_.size() ? &entries_[i].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  const auto is_key = [&](size_t i) {
    return entries_[i].first.is_string() && entries_[i].first.as_text() == key;
  };
  if (index_.empty()) {
    for (size_t i = 0; i < entries_.size(); ++i)
      if (is_key(i)) return &entries_[i].second;
    return nullptr;
  }
  const auto [first, last] = index_.equal_range(std::hash<std::string_view>()(key));
  for (auto it = first; it != last; ++it)
    if (is_key(it->second)) return &entries_[it->second].second;
  return nullptr;
}

void Dict::set(Budget& budget, Value key, Value value) {
  const size_t hash = hash_of(budget, key);
  const size_t i = position(budget, key, hash);
  depth = std::max(depth, budget.depth_around(std::max(key.depth(), value.depth())));
  if (i < entries_.size()) {
    entries_[i].second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (!index_.empty()) {
    index_.emplace(hash, i);
  } else if (entries_.size() > kIndexedFrom) {
    for (size_t j = 0; j < entries_.size(); ++j)
      index_.emplace(hash_of(budget, entries_[j].first), j);
  }
}

Value View::at(size_t i) const {
  const auto& [key, value] = dict->entries()[i];
  if (part == Part::kKeys) return key;
  if (part == Part::kValues) return value;
  return Value::tuple({key, value});
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [key, value] : attributes)
    if (key == name) return &value;
  return nullptr;
}

void Namespace::set(std::string_view name, Value value) {
  for (auto& [key, old] : attributes) {
    if (key != name) continue;
    old = std::move(value);
    return;
  }
  attributes.emplace_back(name, std::move(value));
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return "Undefined";
    case Value::Kind::kNone:
      return "NoneType";
    case Value::Kind::kBool:
      return "bool";
    case Value::Kind::kInt:
      return "int";
    case Value::Kind::kFloat:
      return "float";
    case Value::Kind::kString:
      return value.is_markup() ? "Markup" : "str";
    case Value::Kind::kList:
      return "list";
    case Value::Kind::kTuple:
      return "tuple";
    case Value::Kind::kDict:
      return "dict";
    case Value::Kind::kView: {
      const View::Part part = value.as<View>().part;
      return part == View::Part::kKeys     ? "dict_keys"
             : part == View::Part::kValues ? "dict_values"
                                           : "dict_items";
    }
    case Value::Kind::kRange:
      return "range";
    case Value::Kind::kNamespace:
      return "Namespace";
    case Value::Kind::kIterator:
      return "generator";
    case Value::Kind::kFunction:
      return "function";
    case Value::Kind::kLoop:
      return "LoopContext";
  }
  return "";
}

}  // namespace air::jinja
