#include "text/jinja/json_dump.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"
#include "text/utf8.h"

namespace air::jinja {

namespace {

using Kind = Value::Kind;

class Dumper {
 public:
  Dumper(Runtime& runtime, const JsonForm& form) : runtime_(runtime), form_(form) {}

  std::string run(const Value& value) {
    write(value);
    return std::move(out_);
  }

 private:
  void write(const Value& value) {
    const Level level(runtime_);
    const size_t before = out_.size();
    switch (value.kind()) {
      case Kind::kString:
        write_text(value.as_text());
        break;
      case Kind::kList:
      case Kind::kTuple:
        write_list(value.items());
        break;
      case Kind::kDict:
        write_dict(value.as<Dict>());
        break;
      default:
        out_ += plain(value);
    }
    if (value.is_string()) runtime_.charge(out_.size() - before);
    runtime_.step();
  }

  std::string plain(const Value& value) const {
    switch (value.kind()) {
      case Kind::kNone:
        return "null";
      case Kind::kBool:
        return value.as_bool() ? "true" : "false";
      case Kind::kInt:
        return std::to_string(value.as_integer());
      case Kind::kFloat: {
        const double number = value.as_float();
        if (std::isnan(number)) return "NaN";
        if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
        return repr(number);
      }
      default:
        throw RenderError("Object of type " + std::string(type_name(value)) +
                          " is not JSON serializable");
    }
  }

  void new_line() {
    if (!form_.indent) return;
    runtime_.charge(form_.indent->size() * depth_ + 1);
    out_ += '\n';
    for (size_t i = 0; i < depth_; ++i) out_ += *form_.indent;
  }

  void write_list(const std::vector<Value>& items) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++depth_;
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) separate();
      new_line();
      write(items[i]);
    }
    --depth_;
    new_line();
    out_ += ']';
  }

  void separate() {
    runtime_.charge(form_.item_separator.size());
    out_ += form_.item_separator;
  }

  void write_dict(const Dict& dict) {
    if (dict.entries().empty()) {
      out_ += "{}";
      return;
    }
    out_ += '{';
    ++depth_;
    bool first = true;
    for (const auto& [key, value] : sorted(dict)) {
      if (!first) separate();
      first = false;
      new_line();
      write_text(key->is_string() ? key->as_text() : key_text(*key));
      runtime_.charge(form_.key_separator.size());
      out_ += form_.key_separator;
      write(*value);
    }
    --depth_;
    new_line();
    out_ += '}';
  }

  std::string key_text(const Value& key) const {
    if (!key.is_number() && !key.is(Kind::kNone))
      throw RenderError("keys must be str, int, float, bool or None, not " +
                        std::string(type_name(key)));
    return plain(key);
  }

  std::vector<std::pair<const Value*, const Value*>> sorted(const Dict& dict) {
    std::vector<std::pair<const Value*, const Value*>> out;
    for (const auto& [key, value] : dict.entries()) out.emplace_back(&key, &value);
    if (form_.sort_keys)
      std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) {
        return compare(runtime_, Operator::kLt, *a.first, *b.first);
      });
    return out;
  }

  void write_text(const std::string& text) {
    constexpr std::string_view kNames = "\"\\\b\f\n\r\t", kEscapes = "\"\\bfnrt";
    out_ += '"';
    for (size_t i = 0; i < text.size();) {
      const size_t begin = i;
      const char32_t c = next_code_point(text, i);
      const size_t named = c < 0x80 ? kNames.find(static_cast<char>(c)) : std::string_view::npos;
      if (named != std::string_view::npos)
        (out_ += '\\') += kEscapes[named];
      else if (c < 0x20 || (form_.ensure_ascii && c >= 0x7F))
        escape(c);
      else
        out_.append(text, begin, i - begin);
    }
    out_ += '"';
  }

  void escape(char32_t c) {
    if (c >= 0x10000) {
      escape(0xD800 + ((c - 0x10000) >> 10));
      c = 0xDC00 + ((c - 0x10000) & 0x3FF);
    }
    char digits[16];
    std::snprintf(digits, sizeof digits, "\\u%04x", static_cast<unsigned>(c));
    out_ += digits;
  }

  Runtime& runtime_;
  const JsonForm& form_;
  std::string out_;
  size_t depth_ = 0;
};

}  // namespace

std::string dump_json(Runtime& runtime, const Value& value, const JsonForm& form) {
  return Dumper(runtime, form).run(value);
}

}  // namespace air::jinja
