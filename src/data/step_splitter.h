// Cuts a response into steps: spans of bytes that tile it exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex.h"

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
  std::string regex;             ///< for kRegex
  std::optional<Regex> matcher;  ///< `regex`, compiled

  /// Reads `blank-line|newline|sentence|regex:RE|record`; RE is in PCRE2's syntax. @throws
  /// Error(kUsage) that names no place.
  static StepRule parse(const std::string& text);
};

/// A separator belongs to the step it ends. A piece of white space alone joins the step after it
/// (the last one: before it). `kBlankLine` falls back to newlines when the response has no blank
/// line.
/// @param record_steps the record's own steps, for kRecord: they must follow one another in the
/// response with nothing but
///        white space between.   @throws Error(kInput) when they do not, or there are none.
/// @return spans that tile [0, response.size()); empty only for an empty response.
std::vector<Span> split_steps(std::string_view response, const StepRule& rule,
                              const std::vector<std::string>& record_steps = {});

/// Ends of sentences: byte positions in rising order, each after the white space that follows the
/// sentence. None lies in a code block, in LaTeX, in a number or after a common abbreviation.
/// (src/data/sentence.cpp)
std::vector<size_t> sentence_ends(std::string_view text);

}  // namespace air
