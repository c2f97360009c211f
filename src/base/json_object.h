// A JSON object of a file of our own, read with errors that name the key.
#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <utility>

#include "base/json.h"

namespace air {

/// Reads members of an object and checks their kinds. Errors name no place: in_context() adds it.
class JsonObject {
 public:
  /// @param json stays with the caller.   @param kind of the errors.
  /// @param path keys that lead to the object, "model."; empty: it is the outermost one.
  /// @throws Error(kind) when it is not an object.
  JsonObject(const Json& json, ErrorKind kind, std::string path = "");

  bool has(const char* key) const { return json_.contains(key); }
  /// Members that must be there. @throws Error(kind) naming the key that is missing or of another
  /// kind.
  const Json& get(const char* key) const;
  std::string text(const char* key) const;
  double number(const char* key) const;
  int64_t integer(const char* key) const;
  JsonObject child(const char* key) const;
  /// What nlohmann converts to a T; whole numbers only from numbers that are whole and fit.
  template <typename T>
  T value(const char* key) const {
    const Json& value = get(key);
    try {
      if (fits<T>(value)) return value.get<T>();
    } catch (const Json::exception&) {  // of another kind: the same answer
    }
    fail(key, "has the wrong type");
  }
  template <typename T>
  T value_or(const char* key, T absent) const {
    return has(key) ? value<T>(key) : absent;
  }

  /// @throws Error(kind): the key and what is wrong with it.
  [[noreturn]] void fail(const char* key, const std::string& what) const;

 private:
  template <typename T>
  static bool fits(const Json& value) {
    if constexpr (std::integral<T> && !std::same_as<T, bool>) {
      if (value.is_number_unsigned()) return std::in_range<T>(value.get<uint64_t>());
      return value.is_number_integer() && std::in_range<T>(value.get<int64_t>());
    } else if constexpr (requires { typename T::value_type; } && !std::same_as<T, std::string>) {
      return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& item) {
               return fits<typename T::value_type>(item);
             });
    } else {
      return true;
    }
  }

  const Json& json_;
  ErrorKind kind_;
  std::string path_;
};

}  // namespace air
