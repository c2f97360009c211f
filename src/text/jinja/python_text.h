// Python's functions of text, on UTF-8: positions are code points, white space and case are
// Unicode's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace air::jinja {

class Budget;

/// Python's str.isspace() of a character, and what strip() takes away; isalpha(), isdigit(),
/// isalnum().
bool is_python_space(char32_t c);
bool is_letter(char32_t c);
bool is_digit(char32_t c);
bool is_alphanumeric(char32_t c);

/// len().
int64_t length(std::string_view text);
/// The byte at which character number `index` begins, 0 ≤ index ≤ length.
size_t byte_of(std::string_view text, int64_t index);

enum class Side { kLeft, kRight, kBoth };
/// strip(), lstrip(), rstrip(). @param chars  the characters to take away; none: white space
std::string_view strip(std::string_view text, Side side,
                       std::optional<std::string_view> chars = std::nullopt);

/// split() at white space, at most `most` times; −1: no limit.
std::vector<std::string_view> split_space(std::string_view text, int64_t most);
/// split() and rsplit() at a separator that is not empty.
std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       int64_t most, bool from_right);
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

/// replace(). @param most  how many at most; −1: all
std::string replace(Budget& budget, std::string_view text, std::string_view old,
                    std::string_view with, int64_t most);

enum class Case { kUpper, kLower, kCapitalize };
std::string change_case(std::string_view text, Case target);

/// repr() of a string and of a float; both as Python 3.11 writes them.
std::string repr(std::string_view text);
std::string repr(double value);

/// int() and float() of a text; none when Python raises ValueError. @throws RenderError for an
/// integer beyond 64 bits, and for numbers with underscores or digits beyond ASCII.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_float(std::string_view text);

}  // namespace air::jinja
