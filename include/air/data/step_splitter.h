// Cuts a response into steps: spans of bytes that tile it exactly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace air {

/// A half-open span of bytes.
struct Span {
  int64_t begin = 0;
  int64_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

/// `--steps`: where a step ends. Source: docs/method.md section 3.
struct StepRule {
  enum class Kind { kBlankLine, kNewline, kSentence, kRegex, kRecord };
  Kind kind = Kind::kBlankLine;
  std::string regex;  ///< for kRegex

  /// Reads `blank-line|newline|sentence|regex:RE|record`. @throws Error(kUsage).
  static StepRule parse(const std::string& text);
};

/// A separator belongs to the step it ends. A piece of white space alone joins the step after it (the last one: before
/// it). `kBlankLine` falls back to newlines when the response has no blank line.
/// @return spans that tile [0, response.size()); empty only for an empty response.
std::vector<Span> split_steps(std::string_view response, const StepRule& rule);

}  // namespace air
