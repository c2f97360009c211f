#include <algorithm>
#include <cmath>
#include <optional>

#include "text/jinja/format_spec.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_format.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

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
    FormatSpec spec;
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

  void write(const Value& value, FormatSpec spec, bool zero) {
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

  void write_text(const Value& value, const FormatSpec& spec) {
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

}  // namespace

Value percent_format(Runtime& runtime, const Value& format, const Value& argument) {
  return runtime.text(PercentFormatter(runtime, format, argument).run(), format.is_markup());
}

}  // namespace air::jinja
