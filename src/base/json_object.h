// A JSON object of a file of our own, read with errors that name the key.
#pragma once

#include <string>

#include "base/json.h"

namespace air {

/// Reads members of an object and checks their kinds. Errors name no place: in_context() adds it.
class JsonObject {
 public:
  /// @param json stays with the caller.   @param kind of the errors.   @throws Error(kind) when it
  /// is not an object.
  JsonObject(const Json& json, ErrorKind kind);

  bool has(const char* key) const { return json_.contains(key); }
  /// Members that must be there. @throws Error(kind) naming the key that is missing or of another
  /// kind.
  const Json& get(const char* key) const;
  std::string text(const char* key) const;
  double number(const char* key) const;
  int64_t integer(const char* key) const;
  /// A list of anything that nlohmann converts, such as vectors of numbers.
  template <typename T>
  T list(const char* key) const {
    const Json& value = get(key);
    try {
      if (value.is_array()) return value.get<T>();
    } catch (const Json::exception&) {  // an item of another kind: the same answer
    }
    fail(key, "is not such a list");
  }

 private:
  [[noreturn]] void fail(const char* key, const std::string& what) const;
  const Json& json_;
  ErrorKind kind_;
};

}  // namespace air
