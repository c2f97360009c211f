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

/// `change` of ICU, which takes a text in UTF-16.
template <typename Change>
std::string changed(std::string_view text, Change change) {
  icu::UnicodeString wide = icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<int32_t>(text.size())));
  std::string out;
  change(wide).toUTF8String(out);
  return out;
}

std::string upper_or_lower(std::string_view text, bool is_upper) {
  if (!is_ascii(text))
    return changed(text, [&](icu::UnicodeString& wide) -> icu::UnicodeString& {
      const icu::Locale& root = icu::Locale::getRoot();
      return is_upper ? wide.toUpper(root) : wide.toLower(root);
    });
  std::string out(text);
  for (char& c : out)
    if (is_upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') c = static_cast<char>(c ^ 0x20);
  return out;
}

/// The first character in title case, the rest in lower case.
std::string capitalized(std::string_view text) {
  std::string lower = upper_or_lower(text, false);
  if (text.empty()) return lower;
  size_t first = 0;
  next_code_point(text, first);
  const std::string_view head = text.substr(0, first);
  if (first == 1) return upper_or_lower(head, true) + lower.substr(1);
  const std::string title = changed(head, [](icu::UnicodeString& wide) -> icu::UnicodeString& {
    return wide.toTitle(nullptr, icu::Locale::getRoot(), U_TITLECASE_NO_BREAK_ADJUSTMENT);
  });
  // Of the whole text's lower case, not of the rest's: a final sigma sees what is before it.
  return title + lower.substr(upper_or_lower(head, false).size());
}

bool is_printable(char32_t c) {
  constexpr uint32_t kNot =
      U_GC_CN_MASK | U_GC_Z_MASK | U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CS_MASK;
  return c == ' ' || (U_GET_GC_MASK(static_cast<UChar32>(c)) & kNot) == 0;
}

void append_escape(std::string& out, char32_t c) {
  char digits[16];
  const char* form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
  std::snprintf(digits, sizeof digits, form, static_cast<unsigned>(c));
  out += digits;
}

/// What from_chars() can read, or is not a number to Python either.
std::string_view plain_number(std::string_view text) {
  text = strip(text, Side::kBoth);
  bool is_plain = true, is_number = true;
  for (size_t i = 0; i < text.size();) {
    const char32_t c = next_code_point(text, i);
    is_plain = is_plain && c != '_' && c < 0x80;
    is_number = is_number && (is_digit(c) ||
                              std::u32string_view(U"_.+-eE").find(c) != std::u32string_view::npos);
  }
  if (is_number && !is_plain) throw RenderError("air does not read a number from " + repr(text));
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return text;
}

}  // namespace

bool is_python_space(char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

bool is_letter(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_L_MASK) != 0; }

bool is_digit(char32_t c) {
  const int type = u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE);
  return type == U_NT_DECIMAL || type == U_NT_DIGIT;
}

bool is_alphanumeric(char32_t c) {
  return is_letter(c) ||
         u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

int64_t length(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation_byte(c); });
}

size_t byte_of(std::string_view text, int64_t index) {
  size_t i = 0;
  for (; index > 0; --index) i += utf8_length(text[i]);
  return i;
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

std::vector<std::string_view> split_space(std::string_view text, int64_t most) {
  std::vector<std::string_view> out;
  for (text = strip(text, Side::kLeft); !text.empty();) {
    size_t end = 0;
    for (size_t next = 0; next < text.size(); end = next)
      if (is_python_space(next_code_point(text, next))) break;
    if (static_cast<int64_t>(out.size()) == most) end = text.size();
    out.push_back(text.substr(0, end));
    text = strip(text.substr(end), Side::kLeft);
  }
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

std::string replace(Budget& budget, std::string_view text, std::string_view old,
                    std::string_view with, int64_t most) {
  std::string out;
  budget.charge(text.size());
  const auto add = [&](std::string_view part) {
    budget.charge(part.size());
    out += part;
  };
  size_t i = 0;
  for (int64_t done = 0; most < 0 || done < most; ++done) {
    if (old.empty()) {  // before each character, and at the end
      add(with);
      if (i >= text.size()) break;
      out.append(text, i, utf8_length(text[i]));
      i += utf8_length(text[i]);
      continue;
    }
    const size_t at = text.find(old, i);
    if (at == std::string_view::npos) break;
    out.append(text, i, at - i);
    add(with);
    i = at + old.size();
  }
  if (i < text.size()) out += text.substr(i);
  return out;
}

std::string change_case(std::string_view text, Case target) {
  return target == Case::kCapitalize ? capitalized(text)
                                     : upper_or_lower(text, target == Case::kUpper);
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
  const double size = std::fabs(value);
  const bool is_plain = size == 0 || (size >= 1e-4 && size < 1e16);
  char buffer[32];
  const auto form = is_plain ? std::chars_format::fixed : std::chars_format::scientific;
  std::string out(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, form).ptr);
  if (is_plain && out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  const std::string_view digits = plain_number(text);
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (stop != end || digits.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) throw RenderError("an integer beyond 64 bits");
  return value;
}

std::optional<double> parse_float(std::string_view text) {
  const std::string_view digits = plain_number(text);
  double value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (stop != end || digits.empty() || digits.ends_with(')')) return std::nullopt;
  if (error == std::errc::result_out_of_range) {  // as Python: 0 or infinity
    const size_t e = digits.find_first_of("eE");
    const bool is_tiny = e != std::string_view::npos && digits.substr(e + 1).starts_with('-');
    value = is_tiny ? 0.0 : HUGE_VAL;
    if (digits.starts_with('-')) value = -value;
  }
  return value;
}

}  // namespace air::jinja
