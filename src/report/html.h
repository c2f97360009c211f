// Text and numbers as HTML: nothing of a trace can become markup.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace air {

/// Text for element content and quoted attributes. Control characters are shown as their pictures
/// (U+2400 …), so that a page is valid whatever a trace holds; newline and tab stay.
/// @param text valid UTF-8.
std::string escape_html(std::string_view text);

/// Text of a trace: escaped and isolated, so that its right-to-left marks end with it.
std::string isolated_html(std::string_view text);

/// The longest prefix of at most `max_bytes` bytes that does not cut a character.
std::string_view cut_utf8(std::string_view text, size_t max_bytes);

/// "1,234,567".
std::string with_thousands(int64_t value);

/// A number for people: three significant digits, a true minus sign. "n/a" when it is not finite.
std::string short_number(double value);

/// A number for attributes and scripts, in few digits.
std::string plain_number(double value);

}  // namespace air
