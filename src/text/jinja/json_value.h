// JSON as the values of a template, and their JSON: what `--chat-template-kwargs` gives, and what
// `tojson` writes.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// @throws RenderError for an integer beyond 64 bits and for more levels than the budget has.
Value from_json(Budget& budget, const Json& json);

struct JsonForm {
  bool ensure_ascii = false;
  std::optional<std::string> indent = {};  ///< of one level; none: all on one line
  std::string item_separator = ", ", key_separator = ": ";
};

/// Python's json.dumps. @throws RenderError for what JSON cannot say.
std::string to_json(Budget& budget, const Value& value, const JsonForm& form);

}  // namespace air::jinja
