#include "text/jinja/format_spec.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja/python_text.h"

namespace air::jinja {

namespace {

/// Digits in groups of three (four, other than decimal), up to the first that is not one.
void group(std::string& digits, char separator, size_t size) {
  const size_t end = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
  for (size_t i = end; i > size; i -= size) digits.insert(i - size, 1, separator);
}

std::string integer_digits(uint64_t value, unsigned base, bool upper) {
  std::string out;
  do out += (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
  while ((value /= base) > 0);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string with_sign(Runtime& runtime, bool negative, const std::string& prefix,
                      std::string digits, const FormatSpec& spec) {
  std::string head = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  head += prefix;
  const size_t size = head.size();
  return pad(runtime, head + digits, spec, '>', size);
}

}  // namespace

int read_number(std::string_view text, size_t& i) {
  int out = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    out = out * 10 + (text[i] - '0');
    if (out > kMaxWidth)
      throw RenderError("a width of more than " + std::to_string(kMaxWidth) + " characters");
  }
  return out;
}

std::string pad(Runtime& runtime, std::string text, const FormatSpec& spec, char own_align,
                size_t sign_size) {
  const int64_t missing = spec.width - length(text);
  if (missing <= 0) return text;
  runtime.charge(static_cast<size_t>(missing) * spec.fill.size());
  const char align = spec.align ? spec.align : own_align;
  const int64_t left = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
  std::string before, after;
  for (int64_t i = 0; i < missing; ++i) (i < left ? before : after) += spec.fill;
  if (align == '=') return text.insert(sign_size, before);
  return before + text + after;
}

std::string format_integer(Runtime& runtime, int64_t value, const FormatSpec& spec) {
  const unsigned base = spec.type == 'x' || spec.type == 'X' ? 16
                        : spec.type == 'o'                   ? 8
                        : spec.type == 'b'                   ? 2
                                                             : 10;
  const uint64_t magnitude =
      value < 0 ? uint64_t{0} - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string digits = integer_digits(magnitude, base, spec.type == 'X');
  if (spec.precision > static_cast<int>(digits.size())) {
    runtime.charge(static_cast<size_t>(spec.precision));
    digits.insert(0, static_cast<size_t>(spec.precision) - digits.size(), '0');
  }
  if (spec.grouping) group(digits, spec.grouping, base == 10 ? 3 : 4);
  const std::string prefix = spec.alternate && base != 10 ? std::string("0") + spec.type : "";
  return with_sign(runtime, value < 0, prefix, digits, spec);
}

std::string format_float(Runtime& runtime, double value, FormatSpec spec) {
  const bool percent = spec.type == '%';
  if (percent) value *= 100;
  std::string digits;
  if (spec.type == 0 && spec.precision < 0) {
    digits = repr(std::fabs(value));
  } else {
    const char type = percent ? 'f' : spec.type == 0 || spec.type == 'n' ? 'g' : spec.type;
    const std::string form = std::string("%") + (spec.alternate ? "#" : "") + ".*" + type;
    const int precision = spec.precision < 0 ? 6 : spec.precision;
    const int size = std::snprintf(nullptr, 0, form.c_str(), precision, std::fabs(value));
    runtime.charge(static_cast<size_t>(size));
    digits.resize(static_cast<size_t>(size) + 1);
    std::snprintf(digits.data(), digits.size(), form.c_str(), precision, std::fabs(value));
    digits.pop_back();
    const bool plain = digits.find_first_of(".en") == std::string::npos;
    if (spec.type == 0 && plain) digits += ".0";
  }
  if (percent) digits += '%';
  if (spec.grouping) group(digits, spec.grouping, 3);
  return with_sign(runtime, std::signbit(value) && !std::isnan(value), "", digits, spec);
}

bool is_float_type(char type) {
  return type != 0 && std::string_view("eEfFgGn%").find(type) != std::string_view::npos;
}

}  // namespace air::jinja
