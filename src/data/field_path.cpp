#include "data/field_path.h"

#include "base/error.h"

namespace air {

namespace {

const RecordValue* find_member(const RecordValue& object, std::string_view key) {
  const RecordValue* found = nullptr;
  for (const auto& [name, value] : object.members) {
    if (name != key) continue;
    if (found)
      throw Error(ErrorKind::kInput, "", "the field \"" + std::string(key) + "\" appears twice");
    found = &value;
  }
  return found;
}

}  // namespace

const RecordValue* find_field(const RecordValue& record, std::string_view path) {
  if (const RecordValue* value = find_member(record, path)) return value;
  const RecordValue* value = &record;
  for (size_t begin = 0; value && value->is_object();) {
    const size_t dot = path.find('.', begin);
    value = find_member(*value, path.substr(begin, dot - begin));
    if (dot == std::string_view::npos) return value;
    begin = dot + 1;
  }
  return nullptr;
}

std::string text_of(const RecordValue& value, std::string_view line) {
  if (value.is_string() && !value.is_broken) return value.text;
  return std::string(line.substr(value.begin, value.end - value.begin));
}

}  // namespace air
