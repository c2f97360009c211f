#include "base/json_object.h"

namespace air {

JsonObject::JsonObject(const Json& json, ErrorKind kind) : json_(json), kind_(kind) {
  if (!json.is_object()) throw Error(kind, "", "not a JSON object");
}

const Json& JsonObject::get(const char* key) const {
  const auto found = json_.find(key);
  if (found == json_.end()) throw Error(kind_, "", std::string("no key \"") + key + "\"");
  return *found;
}

std::string JsonObject::text(const char* key) const {
  const Json& value = get(key);
  if (!value.is_string()) fail(key, "is not a string");
  return value.get<std::string>();
}

double JsonObject::number(const char* key) const {
  const Json& value = get(key);
  if (!value.is_number()) fail(key, "is not a number");
  return value.get<double>();
}

int64_t JsonObject::integer(const char* key) const {
  const Json& value = get(key);
  const auto number = whole_number(value);
  if (!number) fail(key, "is not an integer");
  return *number;
}

void JsonObject::fail(const char* key, const std::string& what) const {
  throw Error(kind_, "", std::string("the key \"") + key + "\" " + what);
}

}  // namespace air
