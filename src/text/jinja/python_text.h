// Python's functions of text, on UTF-8: positions are code points, white space and case are
// Unicode's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace air::jinja {

/// Python's str.isspace() of a character, and what strip() takes away.
bool is_python_space(char32_t c);

/// len().
int64_t length(std::string_view text);
/// The byte at which character number `index` begins, 0 ≤ index ≤ length.
size_t byte_of(std::string_view text, int64_t index);
/// The characters, each by itself.
std::vector<std::string_view> characters(std::string_view text);

enum class Side { kLeft, kRight, kBoth };
/// strip(), lstrip(), rstrip(). @param chars  the characters to take away; none: white space
std::string_view strip(std::string_view text, Side side,
                       std::optional<std::string_view> chars = std::nullopt);

/// split() at white space, at most `most` times (−1: no limit), from the left or the right.
std::vector<std::string_view> split_space(std::string_view text, int64_t most, bool from_right);
/// split() at a separator that is not empty.
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       int64_t most, bool from_right);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

enum class Case { kUpper, kLower, kTitle, kCapitalize, kSwap, kFold };
std::string change_case(std::string_view text, Case target);

/// The predicates isalnum, isalpha, …: false for an empty text (isascii, isprintable: true).
bool has_property(std::string_view text, std::string_view predicate);

/// repr() of a string and of a float; both as Python 3.11 writes them.
std::string repr(std::string_view text);
std::string repr(double value);

/// int() and float() of a text; none when Python raises ValueError. @throws RenderError for an
/// integer beyond 64 bits.
std::optional<int64_t> parse_integer(std::string_view text, int base);
std::optional<double> parse_float(std::string_view text);

/// markupsafe.escape().
std::string escape_html(std::string_view text);

}  // namespace air::jinja
