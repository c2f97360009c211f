#include "model/config_reader.h"

#include <utility>

#include "base/strings.h"

namespace air {

namespace {

// Of sizes up to it the products that are computed (heads · width, and a few of them together) stay
// far from the end of int64_t.
constexpr int64_t kMaxInteger = int64_t{1} << 30;

}  // namespace

ConfigReader::ConfigReader(const Json& object, std::string where, IgnoredKeys* ignored)
    : object_(object), where_(std::move(where)), ignored_(ignored) {
  if (!object.is_object()) fail("not a JSON object");
}

void ConfigReader::fail(const std::string& what, const std::string& hint) const {
  throw Error(ErrorKind::kModel, where_, what, hint);
}

const Json* ConfigReader::find(const std::string& key) {
  seen_.insert(key);
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool ConfigReader::has(const std::string& key) const {
  const auto it = object_.find(key);
  return it != object_.end() && !it->is_null();
}

int64_t ConfigReader::integer(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) fail("no key \"" + key + "\"");
  return checked_integer(key, *value);
}

int64_t ConfigReader::checked_integer(const std::string& key, const Json& value) const {
  const auto number = whole_number(value);
  if (!number && !value.is_number_unsigned())
    fail("\"" + key + "\" is " + value.dump() + ", a whole number is expected");
  if (!number || *number > kMaxInteger || *number < -kMaxInteger)
    fail("\"" + key + "\" is " + value.dump() + ": no model has a number so large");
  return *number;
}

double ConfigReader::number(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) fail("no key \"" + key + "\"");
  if (!value->is_number()) fail("\"" + key + "\" is " + value->dump() + ", a number is expected");
  return value->get<double>();
}

std::string ConfigReader::string(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) fail("no key \"" + key + "\"");
  if (!value->is_string()) fail("\"" + key + "\" is " + value->dump() + ", a string is expected");
  return value->get<std::string>();
}

int64_t ConfigReader::integer(const std::string& key, int64_t fallback) {
  return find(key) == nullptr ? fallback : integer(key);
}

int64_t ConfigReader::positive_integer(const std::string& key, int64_t fallback) {
  const int64_t value = integer(key, fallback);
  if (value <= 0) fail("\"" + key + "\" must be positive, not " + std::to_string(value));
  return value;
}

double ConfigReader::number(const std::string& key, double fallback) {
  return find(key) == nullptr ? fallback : number(key);
}

bool ConfigReader::boolean(const std::string& key, bool fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean())
    fail("\"" + key + "\" is " + value->dump() + ", true or false is expected");
  return value->get<bool>();
}

std::string ConfigReader::string(const std::string& key, const std::string& fallback) {
  return find(key) == nullptr ? fallback : string(key);
}

std::optional<int64_t> ConfigReader::optional_integer(const std::string& key,
                                                      std::optional<int64_t> missing_value) {
  if (find(key) != nullptr) return integer(key);
  return missing(key) ? missing_value : std::nullopt;
}

std::optional<double> ConfigReader::optional_number(const std::string& key,
                                                    std::optional<double> missing_value) {
  if (find(key) != nullptr) return number(key);
  return missing(key) ? missing_value : std::nullopt;
}

const Json& ConfigReader::list(const std::string& key) {
  static const Json kEmpty = Json::array();
  const Json* value = find(key);
  if (value == nullptr) return kEmpty;
  if (!value->is_array()) fail("\"" + key + "\" is " + value->dump() + ", a list is expected");
  return *value;
}

std::vector<int64_t> ConfigReader::integers(const std::string& key) {
  std::vector<int64_t> values;
  for (const Json& item : list(key)) values.push_back(checked_integer(key, item));
  return values;
}

std::vector<double> ConfigReader::numbers(const std::string& key) {
  std::vector<double> values;
  for (const Json& item : list(key)) {
    if (!item.is_number()) fail("\"" + key + "\" holds " + item.dump() + ", numbers are expected");
    values.push_back(item.get<double>());
  }
  return values;
}

std::vector<std::string> ConfigReader::strings(const std::string& key) {
  std::vector<std::string> values;
  for (const Json& item : list(key)) {
    if (!item.is_string()) fail("\"" + key + "\" holds " + item.dump() + ", strings are expected");
    values.push_back(item.get<std::string>());
  }
  return values;
}

const Json& ConfigReader::raw(const std::string& key) {
  static const Json kNull = nullptr;
  const Json* value = find(key);
  return value == nullptr ? kNull : *value;
}

void ConfigReader::harmless(std::initializer_list<const char*> keys) {
  for (const char* key : keys) seen_.insert(key);
}

void ConfigReader::expect(const std::string& key, const Json& harmless_value) {
  const Json* value = find(key);
  if (value != nullptr && *value != harmless_value)
    fail("\"" + key + "\" is " + value->dump() + ", air supports only " + harmless_value.dump() +
         " for this model type");
}

void ConfigReader::finish() const {
  std::vector<std::string> left;
  for (const auto& [key, value] : object_.items()) {
    if (seen_.contains(key) || value.is_null()) continue;
    if (ignored_ != nullptr && ignored_->names.contains(key))
      ignored_->met.insert(key);
    else
      left.push_back(key);
  }
  if (!left.empty())
    fail("unknown config key \"" + join(left, "\", \"") + "\"",
         std::string("it may change what the model computes, so air does not guess") +
             (ignored_ == nullptr
                  ? ""
                  : "; if you know that it does not: --ignore-config-keys " + join(left, ",")));
}

}  // namespace air
