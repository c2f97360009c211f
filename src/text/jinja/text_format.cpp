#include "text/jinja/text_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja/attributes.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

constexpr int kMaxWidth = 1 << 20;

/// What a directive of either language asks for.
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > = ^; 0: the type's own
  char sign = '-';
  bool alternate = false;
  char grouping = 0;  // , or _
  int width = 0;
  int precision = -1;
  char type = 0;
};

int read_number(std::string_view text, size_t& i) {
  int out = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    out = out * 10 + (text[i] - '0');
    if (out > kMaxWidth)
      throw RenderError("a width of more than " + std::to_string(kMaxWidth) + " characters");
  }
  return out;
}

std::string pad(Runtime& runtime, std::string text, const Spec& spec, char own_align,
                size_t sign_size = 0) {
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
                      std::string digits, const Spec& spec) {
  std::string head = negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
  head += prefix;
  const size_t size = head.size();
  return pad(runtime, head + digits, spec, '>', size);
}

std::string format_integer(Runtime& runtime, int64_t value, const Spec& spec) {
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

std::string format_float(Runtime& runtime, double value, Spec spec) {
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

// ---- % ----

class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Value& format, const Value& argument)
      : runtime_(runtime),
        format_(format.as_text()),
        is_markup_(format.is_markup()),
        argument_(argument) {}

  std::string run() {
    while (i_ < format_.size()) {
      const size_t percent = std::min(format_.find('%', i_), format_.size());
      out_.append(format_, i_, percent - i_);
      i_ = percent + 1;
      if (percent < format_.size()) directive();
    }
    const bool is_tuple = argument_.is(Kind::kTuple);
    const bool is_mapping =
        argument_.is(Kind::kDict) || argument_.is(Kind::kList) || argument_.is_undefined();
    if (is_tuple ? used_ < argument_.items().size() : used_ == 0 && !is_mapping)
      throw RenderError("not all arguments converted during string formatting");
    return std::move(out_);
  }

 private:
  char peek() const {
    if (i_ >= format_.size()) throw RenderError("incomplete format");
    return format_[i_];
  }

  void directive() {
    Spec spec;
    std::optional<Value> keyed;
    if (peek() == '(') keyed = read_key();
    bool zero = false;
    for (;; ++i_) {
      const char c = peek();
      if (c == '-')
        spec.align = '<';
      else if (c == '+' || (c == ' ' && spec.sign != '+'))
        spec.sign = c;
      else if (c == '0')
        zero = true;
      else if (c == '#')
        spec.alternate = true;
      else if (c != ' ')
        break;
    }
    spec.width = star_or_number();
    if (spec.width < 0) spec.align = '<', spec.width = -spec.width;
    if (peek() == '.') {
      ++i_;
      spec.precision = std::max(star_or_number(), 0);
    }
    while (peek() == 'h' || peek() == 'l' || peek() == 'L') ++i_;
    spec.type = peek();
    ++i_;
    if (spec.type == '%') {
      out_ += '%';
      return;
    }
    write(keyed ? *keyed : next(), spec, zero);
  }

  Value read_key() {
    const size_t begin = ++i_;
    for (int open = 1; open > 0; ++i_) {
      if (peek() == '(') ++open;
      if (peek() == ')') --open;
    }
    const std::string key = format_.substr(begin, i_ - begin - 1);
    if (!argument_.is(Kind::kDict)) throw RenderError("format requires a mapping");
    const Value* value = argument_.as<Dict>().find(key);
    if (!value) throw RenderError("the mapping has no key " + repr(key));
    ++used_;
    return *value;
  }

  Value next() {
    if (!argument_.is(Kind::kTuple)) {
      if (used_++ > 0) throw RenderError("not enough arguments for format string");
      return argument_;
    }
    if (used_ >= argument_.items().size())
      throw RenderError("not enough arguments for format string");
    return argument_.items()[used_++];
  }

  int star_or_number() {
    if (peek() != '*') return read_number(format_, i_);
    ++i_;
    const Value value = next();
    if (!value.is_integer()) throw RenderError("* wants int");
    if (std::abs(value.as_integer()) > kMaxWidth) throw RenderError("a width that is too large");
    return static_cast<int>(value.as_integer());
  }

  void write(const Value& value, Spec spec, bool zero) {
    const auto pad_zeros = [&] {
      if (zero && spec.align != '<') spec.align = '=', spec.fill = "0";
    };
    switch (spec.type) {
      case 's':
      case 'r':
      case 'a':
        return write_text(value, spec);
      case 'd':
      case 'i':
      case 'u':
      case 'o':
      case 'x':
      case 'X': {
        if (!value.is_number() || (!value.is_integer() && std::string_view("oxX").find(spec.type) !=
                                                              std::string_view::npos))
          throw RenderError(std::string("%") + spec.type +
                            " format: a real number is required, not " +
                            std::string(type_name(value)));
        pad_zeros();
        if (spec.type == 'i' || spec.type == 'u') spec.type = 'd';
        const double real = value.as_float();
        if (!value.is_integer() && !(std::fabs(real) < 9e18))
          throw RenderError("an integer beyond 64 bits");
        out_ += format_integer(
            runtime_, value.is_integer() ? value.as_integer() : static_cast<int64_t>(real), spec);
        return;
      }
      case 'c': {
        std::string one = value.is_string() ? value.as_text() : "";
        if (value.is_integer() && value.as_integer() >= 0 && value.as_integer() < 0x110000)
          append_utf8(one, static_cast<char32_t>(value.as_integer()));
        if (length(one) != 1) throw RenderError("%c requires int or char");
        out_ += pad(runtime_, one, spec, '>');
        return;
      }
      default:
        if (!is_float_type(spec.type) || spec.type == 'n' || spec.type == '%')
          throw RenderError(std::string("unsupported format character '") + spec.type + "'");
        if (value.is_undefined()) fail_undefined(value);
        if (!value.is_number())
          throw RenderError("must be real number, not " + std::string(type_name(value)));
        pad_zeros();
        out_ += format_float(runtime_, value.as_float(), spec);
    }
  }

  void write_text(const Value& value, const Spec& spec) {
    std::string text;
    if (spec.type == 's')
      text = to_text(runtime_, value);
    else
      append_repr(text, runtime_, value);
    if (spec.type == 'a' && std::any_of(text.begin(), text.end(),
                                        [](char c) { return static_cast<signed char>(c) < 0; }))
      throw RenderError("air does not write %a of text beyond ASCII");
    if (is_markup_ && !value.is_markup()) text = escape_html(text);
    if (spec.precision >= 0 && spec.precision < length(text))
      text.resize(byte_of(text, spec.precision));
    out_ += pad(runtime_, std::move(text), spec, '>');
  }

  Runtime& runtime_;
  const std::string& format_;
  const bool is_markup_;
  const Value& argument_;
  std::string out_;
  size_t i_ = 0, used_ = 0;
};

// ---- {} ----

Spec parse_spec(std::string_view text) {
  Spec spec;
  size_t i = 0;
  const auto is_align = [&](size_t at) {
    return at < text.size() && std::string_view("<>=^").find(text[at]) != std::string_view::npos;
  };
  const size_t first = text.empty() ? 0 : utf8_length(text[0]);
  if (is_align(first) && first > 0) {
    spec.fill = text.substr(0, first);
    spec.align = text[first];
    i = first + 1;
  } else if (is_align(0)) {
    spec.align = text[i++];
  }
  const auto take = [&](std::string_view set) -> char {
    return i < text.size() && set.find(text[i]) != std::string_view::npos ? text[i++] : 0;
  };
  if (const char sign = take("+- ")) spec.sign = sign;
  spec.alternate = take("#") != 0;
  if (take("0") != 0 && spec.align == 0) spec.fill = "0", spec.align = '=';
  spec.width = read_number(text, i);
  spec.grouping = take(",_");
  if (take(".") != 0) {
    const size_t begin = i;
    spec.precision = read_number(text, i);
    if (i == begin) throw RenderError("Format specifier missing precision");
  }
  if (i < text.size()) spec.type = text[i++];
  if (i < text.size()) throw RenderError("Invalid format specifier");
  return spec;
}

std::string format_value(Runtime& runtime, const Value& value, std::string_view text) {
  if (text.empty()) return to_text(runtime, value);
  Spec spec = parse_spec(text);
  const auto unknown = [&] {
    throw RenderError(std::string("Unknown format code '") + spec.type + "' for object of type '" +
                      std::string(type_name(value)) + "'");
  };
  if (value.is_string()) {
    if (spec.type != 0 && spec.type != 's') unknown();
    if (spec.align == '=' && spec.fill != "0")
      throw RenderError("'=' alignment not allowed in string format specifier");
    if (spec.align == '=') spec.align = '<';
    std::string out = value.as_text();
    if (spec.precision >= 0 && spec.precision < length(out))
      out.resize(byte_of(out, spec.precision));
    return pad(runtime, std::move(out), spec, '<');
  }
  if (value.is_integer() && !is_float_type(spec.type)) {
    if (spec.type != 0 && std::string_view("bdoxX").find(spec.type) == std::string_view::npos)
      unknown();
    if (spec.precision >= 0) throw RenderError("Precision not allowed in integer format specifier");
    return format_integer(runtime, value.as_integer(), spec);
  }
  if (value.is_number()) {
    if (spec.type != 0 && !is_float_type(spec.type)) unknown();
    return format_float(runtime, value.as_float(), spec);
  }
  throw RenderError("unsupported format string passed to " + std::string(type_name(value)) +
                    ".__format__");
}

class BraceFormatter {
 public:
  BraceFormatter(Runtime& runtime, bool is_markup, const Arguments& arguments)
      : runtime_(runtime), is_markup_(is_markup), arguments_(arguments) {}

  std::string run(std::string_view format, int levels) {
    if (levels == 0) throw RenderError("Max string recursion exceeded");
    std::string out;
    for (size_t i = 0; i < format.size();) {
      const char c = format[i++];
      if ((c == '{' || c == '}') && i < format.size() && format[i] == c) {
        out += c;
        ++i;
      } else if (c == '}') {
        throw RenderError("Single '}' encountered in format string");
      } else if (c == '{') {
        const size_t begin = i;
        for (int open = 1; open > 0; ++i) {
          if (i >= format.size()) throw RenderError("expected '}' before end of string");
          if (format[i] == '{') ++open;
          if (format[i] == '}') --open;
        }
        out += field(format.substr(begin, i - begin - 1), levels);
      } else {
        out += c;
      }
      runtime_.step();
    }
    return out;
  }

 private:
  std::string field(std::string_view text, int levels) {
    const size_t name_end = std::min(text.find_first_of("!:"), text.size());
    const Value value = look_up(text.substr(0, name_end));
    std::string_view rest = text.substr(name_end);
    char conversion = 0;
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':'))
        throw RenderError("expected ':' after conversion specifier");
      conversion = rest[1];
      rest.remove_prefix(2);
    }
    const std::string spec = rest.empty() ? "" : run(rest.substr(1), levels - 1);
    if (conversion == 'r') {
      std::string out;
      append_repr(out, runtime_, value);
      return finish(format_value(runtime_, Value::text(std::move(out)), spec), false);
    }
    if (conversion == 's')
      return finish(format_value(runtime_, Value::text(to_text(runtime_, value)), spec), false);
    if (conversion != 0) throw RenderError("Unknown conversion specifier");
    return finish(format_value(runtime_, value, spec), value.is_markup());
  }

  std::string finish(std::string text, bool is_markup) const {
    return is_markup_ && !is_markup ? escape_html(text) : text;
  }

  Value look_up(std::string_view name) {
    const size_t first_end = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, first_end));
    for (size_t i = first_end; i < name.size();) {
      const bool is_attribute = name[i] == '.';
      if (!is_attribute && name[i] != '[')
        throw RenderError("Only '.' or '[' may follow ']' in format field specifier");
      const size_t end =
          is_attribute ? std::min(name.find_first_of(".[", i + 1), name.size()) : name.find(']', i);
      if (end == std::string_view::npos || end == i + 1)
        throw RenderError("Empty attribute in format string");
      const std::string key(name.substr(i + 1, end - i - 1));
      const bool is_index =
          key.find_first_not_of("0123456789") == std::string::npos && key.size() < 10;
      value = is_attribute ? get_attribute(runtime_, value, key)
                           : get_item(runtime_, value,
                                      is_index ? Value::integer(std::stol(key)) : Value::text(key));
      i = is_attribute ? end : end + 1;
    }
    return value;
  }

  Value argument(std::string_view name) {
    const bool is_number = name.find_first_not_of("0123456789") == std::string_view::npos;
    if (is_number && name.size() < 10) {
      const size_t i = name.empty() ? next_++ : std::stoul(std::string(name));
      if (i >= arguments_.positional.size())
        throw RenderError("Replacement index " + std::to_string(i) +
                          " out of range for positional args tuple");
      return arguments_.positional[i];
    }
    for (const auto& [key, value] : arguments_.named)
      if (key == name) return value;
    throw RenderError("format has no argument " + repr(name));
  }

  Runtime& runtime_;
  const bool is_markup_;
  const Arguments& arguments_;
  size_t next_ = 0;
};

}  // namespace

Value percent_format(Runtime& runtime, const Value& format, const Value& argument) {
  return runtime.text(PercentFormatter(runtime, format, argument).run(), format.is_markup());
}

Value brace_format(Runtime& runtime, const Value& format, const Arguments& arguments) {
  std::string text =
      BraceFormatter(runtime, format.is_markup(), arguments).run(format.as_text(), 2);
  return runtime.text(std::move(text), format.is_markup());
}

}  // namespace air::jinja
