#include "text/utf8.h"

#include <cstring>

namespace air {

namespace {

/// Length of the valid character at the front, 0 when there is none. Ranges: Unicode standard,
/// table 3-7.
size_t valid_length(const unsigned char* bytes, size_t size) {
  const auto in = [&](size_t i, unsigned low, unsigned high) {
    return i < size && bytes[i] >= low && bytes[i] <= high;
  };
  const unsigned first = bytes[0];
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return in(1, 0x80, 0xBF) ? 2 : 0;
  if (first < 0xF0) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
    return in(1, low, high) && in(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first > 0xF4) return 0;
  const unsigned low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
  return in(1, low, high) && in(2, 0x80, 0xBF) && in(3, 0x80, 0xBF) ? 4 : 0;
}

}  // namespace

std::optional<int64_t> first_invalid_utf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    uint64_t eight;
    if (i + sizeof eight <= text.size() &&
        (std::memcpy(&eight, bytes + i, sizeof eight), (eight & 0x8080808080808080ULL) == 0)) {
      i += sizeof eight;
      continue;
    }
    const size_t length = valid_length(bytes + i, text.size() - i);
    if (length == 0) return static_cast<int64_t>(i);
    i += length;
  }
  return std::nullopt;
}

char32_t next_code_point(std::string_view text, size_t& position) {
  const auto byte = [&](size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
  };
  const size_t i = position;
  const size_t length = utf8_length(text[i]);
  position += length;
  switch (length) {
    case 1:
      return byte(i);
    case 2:
      return (byte(i) & 0x1F) << 6 | (byte(i + 1) & 0x3F);
    case 3:
      return (byte(i) & 0x0F) << 12 | (byte(i + 1) & 0x3F) << 6 | (byte(i + 2) & 0x3F);
    default:
      return (byte(i) & 0x07) << 18 | (byte(i + 1) & 0x3F) << 12 | (byte(i + 2) & 0x3F) << 6 |
             (byte(i + 3) & 0x3F);
  }
}

char32_t previous_code_point(std::string_view text, size_t& position) {
  do --position;
  while (is_continuation_byte(text[position]));
  size_t begin = position;
  return next_code_point(text, begin);
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

}  // namespace air
