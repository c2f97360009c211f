#include "cli/config_file.h"

#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/json.h"

namespace air {

namespace {

constexpr const char* kHint = "a config file holds lines like  lengths = [256, 512]";

[[noreturn]] void fail(const std::string& path, const toml::source_region& source,
                       const std::string& what) {
  throw Error(ErrorKind::kUsage, path + ":" + std::to_string(source.begin.line), what, kHint);
}

template <typename T>
std::string shortest(T number) {
  char digits[32];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

template <typename T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// The text of a value as the command line would have it; none for arrays and tables.
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return shortest(number->get());
  if (const auto* number = node.as_floating_point()) return shortest(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  if (const auto* date = node.as_date()) return printed(date->get());
  if (const auto* time = node.as_date_time()) return printed(time->get());
  return std::nullopt;
}

ConfigEntry read_entry(const std::string& path, const std::string& name, const toml::node& node) {
  if (auto text = text_of(node)) return {name, {*std::move(text)}, false};
  const toml::array* array = node.as_array();
  if (array == nullptr) fail(path, node.source(), "\"" + name + "\" must be a value or an array");
  ConfigEntry entry{name, {}, true};
  for (const toml::node& item : *array) {
    auto text = text_of(item);
    if (!text) fail(path, item.source(), "\"" + name + "\": an item of the array must be a value");
    entry.values.push_back(*std::move(text));
  }
  return entry;
}

/// True for what TOML reads as this very number.
bool is_number(const std::string& text) {
  int64_t integer = 0;
  double number = 0;
  const char* end = text.data() + text.size();
  if (auto read = std::from_chars(text.data(), end, integer);
      read.ec == std::errc() && read.ptr == end)
    return shortest(integer) == text;
  if (text.find_first_not_of("0123456789.-") != std::string::npos) return false;
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end && shortest(number) == text;
}

void append_value(std::string& line, const std::string& value) {
  if (is_number(value) || value == "true" || value == "false") {
    line += value;
    return;
  }
  std::string literal;
  append_string(literal, value);
  for (const char c : literal) {  // JSON's escapes are TOML's, but for one character
    if (c == '\x7f')
      line += "\\u007F";
    else
      line += c;
  }
}

}  // namespace

std::vector<ConfigEntry> read_config_file(const std::string& path, const std::string& verb,
                                          const std::vector<std::string>& other_verbs) {
  toml::table file;
  try {
    file = toml::parse(read_file(path, ErrorKind::kUsage), path);
  } catch (const toml::parse_error& e) {
    fail(path, e.source(), std::string(e.description()));
  }
  std::vector<ConfigEntry> entries, of_verb;
  for (const auto& [key, node] : file) {
    const std::string name(key.str());
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      entries.push_back(read_entry(path, name, node));
    } else if (name == verb) {
      for (const auto& [inner, value] : *table)
        of_verb.push_back(read_entry(path, std::string(inner.str()), value));
    } else if (std::ranges::find(other_verbs, name) == other_verbs.end()) {
      fail(path, node.source(), "[" + name + "] is not a verb of air");
    }
  }
  for (ConfigEntry& entry : of_verb) {
    std::erase_if(entries, [&](const ConfigEntry& other) { return other.name == entry.name; });
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string config_line(const ConfigEntry& entry) {
  std::string line = entry.name + " = ";
  if (entry.is_array) line += '[';
  for (size_t i = 0; i < entry.values.size(); ++i) {
    if (i > 0) line += ", ";
    append_value(line, entry.values[i]);
  }
  if (entry.is_array) line += ']';
  return line + "\n";
}

}  // namespace air
