// A regular expression, in the dialect of tokenizer files (Oniguruma's) or of PCRE2, run by PCRE2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace air {

/// A match: a half-open span of bytes.
struct Match {
  size_t begin = 0;
  size_t end = 0;
  bool empty() const { return begin == end; }
};

/// A compiled pattern. Matching is thread-safe.
class Regex {
 public:
  /// @param where names the pattern's place in messages.
  /// @throws Error(kModel) when the pattern does not compile, or means something else to PCRE2 than
  ///   to Oniguruma.
  Regex(std::string_view pattern, const std::string& where);
  /// A pattern in PCRE2's own syntax, as users give it to --steps. @throws Error(kUsage).
  static Regex pcre2(std::string_view pattern, const std::string& where);

  /// The first match at or after `from` in valid UTF-8. @throws Error(kInput) when the matcher's
  /// memory does not suffice.
  std::optional<Match> find(std::string_view text, size_t from) const;

 private:
  Regex() = default;
  struct Code;
  static std::shared_ptr<Code> compile(std::string_view pattern, uint32_t options,
                                       const std::string& where, ErrorKind kind);
  std::shared_ptr<const Code> code_;
};

/// The pattern rewritten for PCRE2: `\s`, `\w`, `\b` by their Unicode definitions. @throws
/// Error(kModel) for what has no equal there.
std::string translate_oniguruma(std::string_view pattern, const std::string& where);

}  // namespace air
