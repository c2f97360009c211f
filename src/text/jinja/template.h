// A chat template in Jinja: compiled once, rendered many times, as transformers' sandbox renders
// it.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

struct CompiledTemplate;

/// Immutable; copies share what was compiled, and threads may render at the same time.
class Template {
 public:
  /// @param where  names the template in messages
  /// @throws Error(kind) with template and line: what jinja2 refuses, and tags, filters and tests
  /// that air does not know.
  Template(std::string_view source, std::string where, ErrorKind kind);

  using Variables = std::vector<std::pair<std::string, Value>>;
  /// A template sees its variables and nothing else; `date` is what strftime_now() tells.
  /// @throws Error(kInput) with an empty place: what the template itself refuses (raise_exception),
  /// in its words;
  ///         what Python would raise; a rendering beyond `limits`.
  std::string render(const Variables& variables, const std::tm& date,
                     const Limits& limits = {}) const;

  /// True when the template reads a variable of this name.
  bool reads(std::string_view name) const;

 private:
  std::string where_;
  std::shared_ptr<const CompiledTemplate> compiled_;
};

}  // namespace air::jinja
