#include "base/json_object.h"

namespace air {

JsonObject::JsonObject(const Json& json, ErrorKind kind, std::string path)
    : json_(json), kind_(kind), path_(std::move(path)) {
  if (json.is_object()) return;
  if (path_.empty()) throw Error(kind, "", "not a JSON object");
  path_.pop_back();  // its last dot
  throw Error(kind, "", "the key \"" + path_ + "\" is not an object");
}

const Json& JsonObject::get(const char* key) const {
  const auto found = json_.find(key);
  if (found == json_.end()) throw Error(kind_, "", "no key \"" + path_ + key + "\"");
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
  if (!fits<int64_t>(value)) fail(key, "is not a whole number");
  return value.get<int64_t>();
}

JsonObject JsonObject::child(const char* key) const {
  return JsonObject(get(key), kind_, path_ + key + ".");
}

void JsonObject::fail(const char* key, const std::string& what) const {
  throw Error(kind_, "", "the key \"" + path_ + key + "\" " + what);
}

}  // namespace air
