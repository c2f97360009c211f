// The numbers of a scored line, read back: the one reader of the key `air`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/step_splitter.h"

namespace air {

/// A step as `air score` wrote it; the names are those of docs/data-format.md.
struct ScoredStep {
  Span bytes;  ///< in the response
  int64_t num_tokens = 0;
  double base_nll = 0, ref_nll = 0, entropy = 0;  ///< nats per token
  double influence = 0;
  double divergence = 0;  ///< nats per token
  double weight = 1;

  std::string_view text(std::string_view response) const {
    return response.substr(static_cast<size_t>(bytes.begin),
                           static_cast<size_t>(bytes.end - bytes.begin));
  }
};

/// The trace's own numbers, each as it is in the file or not at all.
struct ScoredNumbers {
  std::optional<double> line, trace, rank;
  std::optional<double> influence, divergence, base_nll, ref_nll, entropy, controlled;
  std::optional<double> num_tokens, num_prompt_tokens, num_steps, num_excluded, repetition;
  bool truncated = false;  ///< `air score --overlong truncate` cut the trace
  /// The response as it was joined, where the record keeps its parts apart.
  std::optional<std::string> response;
  std::optional<double> steps_end;  ///< byte of the response at which the last step ends
  std::vector<ScoredStep> steps;    ///< when they were asked for

  /// A number by its name in the file; null: there is no such name.
  const std::optional<double>* find(std::string_view name) const;
};

enum class StepsRead { kNo, kYes };

/// Reads the value of a line's key `air` in one pass, without a tree of its steps: a million lines
/// have a hundred million numbers. Numbers that are not asked for are not converted.
/// @throws Error(kInput): not JSON, not of this schema, a step that lacks a number, a number of
///   another kind or beyond what any score is (10³⁰).
ScoredNumbers read_scored_numbers(std::string_view air, StepsRead steps = StepsRead::kNo);

/// A number that must be there. @throws Error(kInput) naming it.
double require_number(const ScoredNumbers& numbers, std::string_view name);
/// The same for a whole one.
int64_t require_integer(const ScoredNumbers& numbers, std::string_view name);

}  // namespace air
