// Python's json.dumps, which transformers' `tojson` is.
#pragma once

#include <optional>
#include <string>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

struct JsonForm {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  ///< of one level; none: all on one line
  std::string item_separator = ", ", key_separator = ": ";
  bool sort_keys = false;
};

/// @throws RenderError for what JSON cannot say.
std::string dump_json(Runtime& runtime, const Value& value, const JsonForm& form);

}  // namespace air::jinja
