#include <algorithm>

#include "text/jinja/attributes.h"
#include "text/jinja/format_spec.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

FormatSpec parse_spec(std::string_view text) {
  FormatSpec spec;
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
  FormatSpec spec = parse_spec(text);
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

Value brace_format(Runtime& runtime, const Value& format, const Arguments& arguments) {
  std::string text =
      BraceFormatter(runtime, format.is_markup(), arguments).run(format.as_text(), 2);
  return runtime.text(std::move(text), format.is_markup());
}

}  // namespace air::jinja
