// JSON written piece by piece to the end of a string, where a tree would cost too much.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "base/json.h"

namespace air {

/// Writes commas where they belong; that braces and brackets match is the caller's business.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_list() { return open('['); }
  JsonWriter& end_list() { return close(']'); }
  /// The name of the member whose value comes next; `name` needs no escapes.
  JsonWriter& key(std::string_view name) {
    separate();
    out_.append("\"").append(name).append("\":");
    needs_comma_ = false;
    return *this;
  }

  /// A value that is JSON already.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    separate();
    append_string(out_, text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  JsonWriter& value(std::floating_point auto number) {
    separate();
    append_number(out_, static_cast<double>(number));
    return *this;
  }
  JsonWriter& value(std::integral auto number) {
    separate();
    append_number(out_, static_cast<int64_t>(number));
    return *this;
  }

  template <typename Value>
  JsonWriter& member(std::string_view name, const Value& value) {
    return key(name).value(value);
  }
  template <typename Values>
  JsonWriter& list(std::string_view name, const Values& values) {
    key(name).begin_list();
    for (const auto& item : values) value(item);
    return end_list();
  }

 private:
  void separate() {
    if (needs_comma_) out_ += ',';
    needs_comma_ = true;
  }
  JsonWriter& open(char brace) {
    separate();
    out_ += brace;
    needs_comma_ = false;
    return *this;
  }
  JsonWriter& close(char brace) {
    out_ += brace;
    needs_comma_ = true;
    return *this;
  }

  std::string& out_;
  bool needs_comma_ = false;
};

}  // namespace air
