#include "data/record_shape.h"

#include <algorithm>

#include "base/error.h"

namespace air {

namespace {

const RecordValue* find_member(const RecordValue& object, std::string_view key,
                               const std::string& where) {
  const RecordValue* found = nullptr;
  for (const auto& [name, value] : object.members) {
    if (name != key) continue;
    if (found)
      throw Error(ErrorKind::kInput, where,
                  "the field \"" + std::string(key) + "\" stands there twice");
    found = &value;
  }
  return found;
}

/// JSON null counts as absent: datasets with columns write it for an empty cell.
const RecordValue* unless_null(const RecordValue* value) {
  return value && value->is_null() ? nullptr : value;
}

}  // namespace

const RecordValue* RecordView::find(std::string_view field) const {
  if (const RecordValue* value = find_member(record_, field, where_)) return unless_null(value);
  const RecordValue* value = &record_;
  for (size_t begin = 0; value && value->is_object();) {
    const size_t dot = field.find('.', begin);
    value = find_member(*value, field.substr(begin, dot - begin), where_);
    if (dot == std::string_view::npos) return unless_null(value);
    begin = dot + 1;
  }
  return nullptr;
}

int64_t RecordView::count(std::string_view key) const {
  return std::count_if(record_.members.begin(), record_.members.end(),
                       [&](const auto& m) { return m.name == key; });
}

std::string_view RecordView::first_of(std::span<const std::string_view> fields) const {
  const auto it = std::find_if(fields.begin(), fields.end(),
                               [&](std::string_view field) { return has(field); });
  return it == fields.end() ? std::string_view() : *it;
}

const RecordValue& RecordView::get(std::string_view field) const {
  const RecordValue* value = find(field);
  if (!value)
    throw Error(ErrorKind::kInput, where_, "no field \"" + std::string(field) + "\"",
                "this record has: " + field_names());
  return *value;
}

const std::string& RecordView::text(std::string_view field) const {
  const RecordValue& value = get(field);
  return string_of(value, field);
}

const std::string& RecordView::string_of(const RecordValue& value, std::string_view field) const {
  if (!value.is_string()) fail(field, "holds " + kind_name(value) + ", not a string");
  if (value.is_broken)
    fail(field, "holds half a surrogate pair (\\ud800 to \\udfff), which is no text");
  return value.text;
}

const RecordValue& RecordView::list(std::string_view field) const {
  const RecordValue& value = get(field);
  if (!value.is_array()) fail(field, "is " + kind_name(value) + ", not a list");
  return value;
}

std::string RecordView::field_names() const {
  std::string names;
  for (const auto& [name, value] : record_.members) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names.empty() ? "no fields" : names;
}

void RecordView::fail(std::string_view field, const std::string& what) const {
  throw Error(ErrorKind::kInput, where_, "the field \"" + std::string(field) + "\" " + what);
}

TraceRecord single_turn(std::string prompt, std::string response) {
  TraceRecord trace;
  trace.messages.push_back({"user", std::move(prompt), ""});
  trace.response = std::move(response);
  return trace;
}

}  // namespace air
