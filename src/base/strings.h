// Small functions on text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace air {

/// True for a line of spaces, tabs and carriage returns alone, and for an empty one.
inline bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// "a, b, c". @param text what is written for an item.
template <typename Items, typename Text>
std::string join(const Items& items, std::string_view separator, Text text) {
  std::string out;
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += separator;
    out += text(item);
    first = false;
  }
  return out;
}

/// The same for items that are text themselves.
template <typename Items>
std::string join(const Items& items, std::string_view separator) {
  return join(items, separator, [](const auto& item) { return std::string_view(item); });
}

/// "1 record", "2 records".
std::string counted(int64_t count, std::string_view noun);

/// A hash as 16 hexadecimal digits.
std::string hex16(uint64_t hash);

/// CRC-32 as eight hexadecimal digits: tells damage, not intent.
std::string crc32_hex(std::string_view bytes);

}  // namespace air
