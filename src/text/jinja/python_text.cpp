#include "text/jinja/python_text.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "text/jinja/runtime.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<signed char>(c) >= 0; });
}

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

/// Cased letters, as str.istitle() and str.title() see words.
bool is_cased(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED); }

std::string from_icu(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

icu::UnicodeString to_icu(std::string_view text) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
}

std::string ascii_case(std::string_view text, bool upper) {
  std::string out(text);
  for (char& c : out)
    if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') c = static_cast<char>(c ^ 0x20);
  return out;
}

/// The first character's title case, and nothing else changed.
std::string title_character(char32_t c) {
  std::string one;
  append_utf8(one, c);
  icu::UnicodeString text = to_icu(one);
  return from_icu(text.toTitle(nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_BREAK_ADJUSTMENT));
}

/// True where no cased letter follows, whatever has no case in between: there a sigma is a final
/// one.
bool ends_word(std::string_view text, size_t i) {
  while (i < text.size()) {
    const auto c = static_cast<UChar32>(next_code_point(text, i));
    if (!u_hasBinaryProperty(c, UCHAR_CASE_IGNORABLE)) return !is_cased(static_cast<char32_t>(c));
  }
  return true;
}

/// str.title(): a cased letter after another one is lower, any other is title case.
std::string title(std::string_view text) {
  constexpr char32_t kSigma = 0x3A3;
  std::string out;
  bool after_cased = false;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t c = next_code_point(text, i);
    if (after_cased && c == kSigma && ends_word(text, i))
      out += "ς";
    else
      out += after_cased ? change_case(text.substr(begin, i - begin), Case::kLower)
                         : title_character(c);
    after_cased = is_cased(c);
  }
  return out;
}

std::string swap_case(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const auto c = static_cast<UChar32>(next_code_point(text, i));
    const std::string_view one = text.substr(begin, i - begin);
    out += u_hasBinaryProperty(c, UCHAR_UPPERCASE)   ? change_case(one, Case::kLower)
           : u_hasBinaryProperty(c, UCHAR_LOWERCASE) ? change_case(one, Case::kUpper)
                                                     : std::string(one);
  }
  return out;
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (u_charType(static_cast<UChar32>(c))) {
    case U_UNASSIGNED:
    case U_SPACE_SEPARATOR:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
    case U_CONTROL_CHAR:
    case U_FORMAT_CHAR:
    case U_PRIVATE_USE_CHAR:
    case U_SURROGATE:
      return false;
    default:
      return true;
  }
}

bool is_decimal(char32_t c) {
  return u_charType(static_cast<UChar32>(c)) == U_DECIMAL_DIGIT_NUMBER;
}

bool is_digit(char32_t c) {
  const int type = u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE);
  return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}

bool is_numeric(char32_t c) {
  return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

bool is_letter(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_L_MASK) != 0; }

/// islower(), isupper(): some cased letter, and none of the other cases.
bool all_cased(std::string_view text, UProperty wanted, UProperty other) {
  bool found = false;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<UChar32>(next_code_point(text, i));
    if (u_hasBinaryProperty(c, other) || u_charType(c) == U_TITLECASE_LETTER) return false;
    found = found || u_hasBinaryProperty(c, wanted);
  }
  return found;
}

bool is_title(std::string_view text) {
  bool after_cased = false, found = false;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<UChar32>(next_code_point(text, i));
    const bool is_head =
        u_hasBinaryProperty(c, UCHAR_UPPERCASE) || u_charType(c) == U_TITLECASE_LETTER;
    const bool is_lower = u_hasBinaryProperty(c, UCHAR_LOWERCASE);
    if ((is_head && after_cased) || (is_lower && !after_cased)) return false;
    after_cased = is_head || is_lower;
    found = found || after_cased;
  }
  return found;
}

void append_escape(std::string& out, char32_t c) {
  char digits[16];
  const char* form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
  std::snprintf(digits, sizeof digits, form, static_cast<unsigned>(c));
  out += digits;
}

/// A number's text without white space around it and underscores between digits; none when Python
/// refuses it.
std::optional<std::string> plain_number(std::string_view text) {
  text = strip(text, Side::kBoth);
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const char32_t c = next_code_point(text, i);
    const bool between = !out.empty() && u_isalnum(static_cast<UChar32>(out.back())) &&
                         i < text.size() && std::isalnum(static_cast<unsigned char>(text[i]));
    if (c == '_' && between) continue;
    if (c == '_') return std::nullopt;
    const int32_t digit = c < 0x80 ? -1 : u_charDigitValue(static_cast<UChar32>(c));
    if (digit >= 0)
      out += static_cast<char>('0' + digit);
    else if (c < 0x80)
      out += static_cast<char>(c);
    else
      return std::nullopt;
  }
  return out;
}

}  // namespace

bool is_python_space(char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

int64_t length(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation_byte(c); });
}

size_t byte_of(std::string_view text, int64_t index) {
  size_t i = 0;
  for (; index > 0; --index) i += utf8_length(text[i]);
  return i;
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> out;
  for (size_t i = 0; i < text.size(); i += utf8_length(text[i]))
    out.push_back(text.substr(i, utf8_length(text[i])));
  return out;
}

std::string_view strip(std::string_view text, Side side, std::optional<std::string_view> chars) {
  const auto goes = [&](size_t begin, size_t end, char32_t c) {
    return chars ? chars->find(text.substr(begin, end - begin)) != std::string_view::npos
                 : is_python_space(c);
  };
  if (side != Side::kRight) {
    size_t kept = 0;
    for (size_t i = 0; i < text.size(); kept = i) {
      const char32_t c = next_code_point(text, i);
      if (!goes(kept, i, c)) break;
    }
    text.remove_prefix(kept);
  }
  if (side != Side::kLeft) {
    size_t kept = text.size();
    for (size_t i = kept; i > 0; kept = i) {
      const char32_t c = previous_code_point(text, i);
      if (!goes(i, kept, c)) break;
    }
    text = text.substr(0, kept);
  }
  return text;
}

std::vector<std::string_view> split_space(std::string_view text, int64_t most, bool from_right) {
  std::vector<std::string_view> out;
  for (text = strip(text, Side::kBoth); !text.empty();) {
    if (most >= 0 && static_cast<int64_t>(out.size()) == most) {
      out.push_back(text);
      break;
    }
    size_t cut = from_right ? text.size() : 0;
    while (from_right ? cut > 0 : cut < text.size()) {
      size_t next = cut;
      if (is_python_space(from_right ? previous_code_point(text, next)
                                     : next_code_point(text, next)))
        break;
      cut = next;
    }
    out.push_back(from_right ? text.substr(cut) : text.substr(0, cut));
    text = from_right ? strip(text.substr(0, cut), Side::kRight)
                      : strip(text.substr(cut), Side::kLeft);
  }
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator,
                                       int64_t most, bool from_right) {
  std::vector<std::string_view> out;
  while (most < 0 || static_cast<int64_t>(out.size()) < most) {
    const size_t at = from_right ? text.rfind(separator) : text.find(separator);
    if (at == std::string_view::npos) break;
    const std::string_view before = text.substr(0, at), after = text.substr(at + separator.size());
    out.push_back(from_right ? after : before);
    text = from_right ? before : after;
  }
  out.push_back(text);
  if (from_right) std::reverse(out.begin(), out.end());
  return out;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t end = i;
    const char32_t c = next_code_point(text, i);
    if (!is_line_end(c)) continue;
    if (c == '\r' && i < text.size() && text[i] == '\n') ++i;
    out.push_back(text.substr(begin, (keep_ends ? i : end) - begin));
    begin = i;
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
  return out;
}

std::string change_case(std::string_view text, Case target) {
  const bool ascii = is_ascii(text);
  switch (target) {
    case Case::kUpper:
      return ascii ? ascii_case(text, true)
                   : from_icu(to_icu(text).toUpper(icu::Locale::getRoot()));
    case Case::kLower:
      return ascii ? ascii_case(text, false)
                   : from_icu(to_icu(text).toLower(icu::Locale::getRoot()));
    case Case::kFold:
      return ascii ? ascii_case(text, false) : from_icu(to_icu(text).foldCase());
    case Case::kSwap:
      return swap_case(text);
    case Case::kTitle:
      return title(text);
    case Case::kCapitalize:
      if (text.empty()) return "";
      size_t first = 0;
      const char32_t c = next_code_point(text, first);
      // The lower case of the whole text, cut, and not of the rest: a final sigma sees what stands
      // before it.
      const std::string head = change_case(text.substr(0, first), Case::kLower);
      return title_character(c) + change_case(text, Case::kLower).substr(head.size());
  }
  return "";
}

bool has_property(std::string_view text, std::string_view predicate) {
  const auto all = [&](auto is) {
    for (size_t i = 0; i < text.size();)
      if (!is(next_code_point(text, i))) return false;
    return true;
  };
  if (predicate == "isascii") return is_ascii(text);
  if (predicate == "isprintable") return all(is_printable);
  if (text.empty()) return false;
  if (predicate == "isspace") return all(is_python_space);
  if (predicate == "isalpha") return all(is_letter);
  if (predicate == "isdecimal") return all(is_decimal);
  if (predicate == "isdigit") return all(is_digit);
  if (predicate == "isnumeric") return all(is_numeric);
  if (predicate == "isalnum") return all([](char32_t c) { return is_letter(c) || is_numeric(c); });
  if (predicate == "islower") return all_cased(text, UCHAR_LOWERCASE, UCHAR_UPPERCASE);
  if (predicate == "isupper") return all_cased(text, UCHAR_UPPERCASE, UCHAR_LOWERCASE);
  return is_title(text);
}

std::string repr(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const char32_t c = next_code_point(text, i);
    if (c == static_cast<char32_t>(quote) || c == '\\')
      (out += '\\') += static_cast<char>(c);
    else if (c == '\n' || c == '\r' || c == '\t')
      (out += '\\') += c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
    else if (is_printable(c))
      out.append(text, begin, i - begin);
    else
      append_escape(out, c);
  }
  return out += quote;
}

std::string repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  const size_t e = text.find('e');
  std::string digits;
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  int exponent = 0;
  std::from_chars(text.data() + e + (text[e + 1] == '+' ? 2 : 1), end, exponent);
  std::string out = text[0] == '-' ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (digits.size() > 1) out.append(".").append(digits, 1);
    char tail[8];
    std::snprintf(tail, sizeof tail, "e%+03d", exponent);
    return out + tail;
  }
  if (exponent < 0)
    return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return out + digits + std::string(whole - digits.size(), '0') + ".0";
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::optional<int64_t> parse_integer(std::string_view text, int base) {
  const std::optional<std::string> plain = plain_number(text);
  if (!plain) return std::nullopt;
  std::string_view digits = *plain;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const auto has_prefix = [&](char letter) {
    return digits.size() > 2 && digits[0] == '0' && (digits[1] | 0x20) == letter;
  };
  const int named = has_prefix('x') ? 16 : has_prefix('o') ? 8 : has_prefix('b') ? 2 : 0;
  if (named != 0 && (base == 0 || base == named)) digits.remove_prefix(2);
  if (base == 0 && named == 0 && digits.size() > 1 && digits[0] == '0') {
    if (digits.find_first_not_of('0') != std::string_view::npos) return std::nullopt;
  }
  if (base == 0) base = named == 0 ? 10 : named;
  if (base < 2 || base > 36 || digits.empty() ||
      !std::isalnum(static_cast<unsigned char>(digits[0])))
    return std::nullopt;
  const std::string signed_digits = (negative ? "-" : "") + std::string(digits);
  int64_t value = 0;
  const char* end = signed_digits.data() + signed_digits.size();
  const auto [stop, error] = std::from_chars(signed_digits.data(), end, value, base);
  if (stop != end) return std::nullopt;
  if (error == std::errc::result_out_of_range) throw RenderError("an integer beyond 64 bits");
  return value;
}

std::optional<double> parse_float(std::string_view text) {
  std::optional<std::string> plain = plain_number(text);
  if (!plain) return std::nullopt;
  std::string_view digits = *plain;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const size_t first = digits.starts_with('-') ? 1 : 0;
  if (digits.size() == first || digits[first] == '-' || digits[first] == '+' ||
      (first == 0 && plain->starts_with("+-")))
    return std::nullopt;
  double value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (stop != digits.data() + digits.size() || digits.find('(') != std::string_view::npos)
    return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    const size_t e = digits.find_first_of("eE");
    const bool tiny = e != std::string_view::npos && digits.substr(e + 1).starts_with('-');
    value = tiny ? 0.0 : HUGE_VAL;
    return first ? -value : value;
  }
  return value;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&#34;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

}  // namespace air::jinja
