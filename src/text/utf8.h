// UTF-8 at the level of bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace air {

/// Byte position of the first byte that is not valid UTF-8 (overlong forms, surrogates, > U+10FFFF
/// included); none when all is valid.
std::optional<int64_t> first_invalid_utf8(std::string_view text);

/// True for a byte that continues a character.
inline bool is_continuation_byte(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

/// Length of the character that begins with this byte of valid UTF-8.
inline size_t utf8_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The code point at `position` of valid UTF-8, which is moved past it.
char32_t next_code_point(std::string_view text, size_t& position);

/// The code point that ends before `position` > 0 of valid UTF-8, which is moved to its beginning.
char32_t previous_code_point(std::string_view text, size_t& position);

void append_utf8(std::string& out, char32_t code_point);

/// The property White_Space of Unicode: what `\s` means in the patterns of tokenizers.
bool is_white_space(char32_t code_point);

}  // namespace air
