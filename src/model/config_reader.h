// Reads a config.json key by key and refuses what nobody reads: a key that is not understood
// may change the maths.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace air {

/// Keys that nobody knows and that finish() passes over all the same, and which of them it met.
struct IgnoredKeys {
  std::set<std::string> names;
  std::set<std::string> met = {};
};

/// The keys of one JSON object. Every key must be read, or declared harmless, before finish().
class ConfigReader {
 public:
  /// @param object must outlive the reader.   @param where names the file (and the key of a nested
  /// object).   @param ignored null: none; must outlive the reader.
  ConfigReader(const Json& object, std::string where, IgnoredKeys* ignored = nullptr);

  /// True when the key is there and not null.
  bool has(const std::string& key) const;
  /// @throws Error(kModel) when the key is missing or of another type, or an integer is beyond what
  ///   any model has (2³⁰).
  int64_t integer(const std::string& key);
  double number(const std::string& key);
  std::string string(const std::string& key);
  /// The default stands for a missing or null key: what transformers' config class of the family
  /// says.
  int64_t integer(const std::string& key, int64_t fallback);
  double number(const std::string& key, double fallback);
  /// @throws Error(kModel) also when it is 0 or less.
  int64_t positive_integer(const std::string& key, int64_t fallback);
  bool boolean(const std::string& key, bool fallback);
  std::string string(const std::string& key, const std::string& fallback);
  /// For keys where null means something else than a missing key: nothing when it is null,
  /// `missing` when the key is missing.
  std::optional<int64_t> optional_integer(const std::string& key, std::optional<int64_t> missing);
  std::optional<double> optional_number(const std::string& key, std::optional<double> missing);
  /// A list; empty when missing or null.
  std::vector<int64_t> integers(const std::string& key);
  std::vector<double> numbers(const std::string& key);
  std::vector<std::string> strings(const std::string& key);
  /// The raw value, for objects and lists; null when missing.
  const Json& raw(const std::string& key);

  /// Keys that do not change the losses, whatever their value.
  void harmless(std::initializer_list<const char*> keys);
  /// A key that air supports with this value only. @throws Error(kModel) when it is there with
  /// another one.
  void expect(const std::string& key, const Json& harmless_value);
  /// @throws Error(kModel) naming every key that is left and not null.
  void finish() const;

  const std::string& where() const { return where_; }
  /// For the readers of nested objects.
  IgnoredKeys* ignored() const { return ignored_; }
  [[noreturn]] void fail(const std::string& what, const std::string& hint = "") const;

 private:
  const Json* find(const std::string& key);
  int64_t checked_integer(const std::string& key, const Json& value) const;
  bool missing(const std::string& key) const { return !object_.contains(key); }
  const Json& list(const std::string& key);
  const Json& object_;
  std::string where_;
  IgnoredKeys* ignored_;
  std::set<std::string> seen_;
};

}  // namespace air
