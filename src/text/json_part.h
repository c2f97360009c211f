// Reading the parts of a tokenizer.json: every access says what is missing, every key must be
// known.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace air::json_part {

using Value = rapidjson::Value;

[[noreturn]] inline void fail(const std::string& where, const std::string& what) {
  throw Error(ErrorKind::kModel, where, what);
}

/// The object that a file holds. @param json parsed in place: it must outlive the document, whose
/// strings lie in it.
inline rapidjson::Document parse_file(std::string& json, const std::string& where) {
  check_json_depth(json, where, ErrorKind::kModel);
  rapidjson::Document file;
  file.ParseInsitu<rapidjson::kParseIterativeFlag>(json.data());
  if (file.HasParseError())
    fail(where, std::string("not valid JSON at byte ") + std::to_string(file.GetErrorOffset()) +
                    ": " + rapidjson::GetParseError_En(file.GetParseError()));
  if (!file.IsObject()) fail(where, "not a tokenizer: the file must be a JSON object");
  return file;
}

inline std::string_view as_string(const Value& value, const std::string& where) {
  if (!value.IsString()) fail(where, "must be a string");
  return {value.GetString(), value.GetStringLength()};
}

/// The member, or null when it is absent or JSON null.
inline const Value* find(const Value& object, const char* key) {
  const auto it = object.FindMember(key);
  return it == object.MemberEnd() || it->value.IsNull() ? nullptr : &it->value;
}

inline const Value& get(const Value& object, const char* key, const std::string& where) {
  const Value* value = find(object, key);
  if (!value) fail(where, std::string("has no \"") + key + "\"");
  return *value;
}

inline std::string_view get_string(const Value& object, const char* key, const std::string& where) {
  return as_string(get(object, key, where), where + "." + key);
}

inline const Value& get_array(const Value& object, const char* key, const std::string& where) {
  const Value& value = get(object, key, where);
  if (!value.IsArray()) fail(where + "." + key, "must be a list");
  return value;
}

inline bool get_bool(const Value& object, const char* key, bool otherwise,
                     const std::string& where) {
  const Value* value = find(object, key);
  if (!value) return otherwise;
  if (!value->IsBool()) fail(where + "." + key, "must be true or false");
  return value->GetBool();
}

/// The part's "type"; the part must be an object.
inline std::string_view type_of(const Value& part, const std::string& where) {
  if (!part.IsObject()) fail(where, "must be an object");
  return get_string(part, "type", where);
}

/// @throws Error naming the first key that is not in the list.
inline void check_keys(const Value& object, std::initializer_list<std::string_view> known,
                       const std::string& where) {
  for (const auto& member : object.GetObject()) {
    const std::string_view name(member.name.GetString(), member.name.GetStringLength());
    bool found = false;
    for (const std::string_view key : known) found = found || key == name;
    if (!found) fail(where, "the key \"" + std::string(name) + "\" is not known to air");
  }
}

}  // namespace air::json_part
