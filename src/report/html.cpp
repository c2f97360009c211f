#include "report/html.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "text/utf8.h"

namespace air {

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
      case '\t':
        out += c;
        break;
      case 0x7f:
        out += "\u2421";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          append_utf8(out, 0x2400 + static_cast<char32_t>(c));
        else
          out += c;
    }
  }
  return out;
}

std::string isolated_html(std::string_view text) { return "<bdi>" + escape_html(text) + "</bdi>"; }

std::string_view cut_utf8(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && is_continuation_byte(text[max_bytes])) --max_bytes;
  return text.substr(0, max_bytes);
}

std::string with_thousands(int64_t value) {
  const auto size = static_cast<uint64_t>(value);
  std::string digits = std::to_string(value < 0 ? 0 - size : size);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return value < 0 ? "\u2212" + digits : digits;
}

namespace {
constexpr double kMostDigits = 1e15;  // numbers from here on are written with an exponent
}

std::string short_number(double value) {
  if (!std::isfinite(value)) return "n/a";
  const double size = std::abs(value);
  if (size >= kMostDigits) return plain_number(value);
  if (size >= 1000) return with_thousands(std::llround(value));
  char digits[32];
  const int decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  std::snprintf(digits, sizeof digits, "%.*f", decimals, size);
  const bool negative = value < 0 && std::strtod(digits, nullptr) != 0;
  return negative ? std::string("\u2212") + digits : digits;
}

std::string plain_number(double value) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.5g", value);
  return digits;
}

}  // namespace air
