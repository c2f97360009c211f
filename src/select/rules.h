// The rules that say what is kept: a row each, for flags, messages and counts.
#pragma once

#include <array>
#include <cstddef>

namespace air {

/// In the order in which they are applied.
enum class Rule {
  kMinScore,
  kMinTokens,
  kMaxResponse,
  kWhere,
  kExcludeTruncated,
  kDedup,
  kBestOf,
  kTopK,
  kTopPercent,
  kTokenBudget,
};

/// How a rule is given.
struct RuleRow {
  Rule rule;
  const char* flag;
  const char* type;  ///< of its value, for --help; null: it has none
  const char* help;
};

inline constexpr size_t kNumRules = 10;

/// One row a rule, in order.
inline constexpr std::array<RuleRow, kNumRules> kRules{{
    {Rule::kMinScore, "--min-score", "X", "Only records with at least this value"},
    {Rule::kMinTokens, "--min-response-tokens", "N", "Only responses of at least so many tokens"},
    {Rule::kMaxResponse, "--max-response-tokens", "N", "Only responses of at most so many tokens"},
    {Rule::kWhere, "--where", "COND",
     "Only records for which this holds: a number of the scores or of the record, < <= > >= == or "
     "!=, a number: 'repetition<4.5', 'meta.quality>=0.5'. May be given several times"},
    {Rule::kExcludeTruncated, "--exclude-truncated", nullptr,
     "Drop responses that were cut off: the record says so (finish_reason \"length\", truncated), "
     "or <think> never ends"},
    {Rule::kDedup, "--dedup", "WHAT",
     "Of records with the same prompt, response, or both, keep only the best (the first in order)"},
    {Rule::kBestOf, "--best-of", "FIELD",
     "Keep only the best record for each value of this field, such as the prompt"},
    {Rule::kTopK, "--top-k", "K", "At most so many records"},
    {Rule::kTopPercent, "--top-percent", "P", "At most this share of the records, rounded up"},
    {Rule::kTokenBudget, "--token-budget", "N",
     "Response tokens in all; a record that does not fit is passed over"},
}};

constexpr const RuleRow& row_of(Rule rule) { return kRules[static_cast<size_t>(rule)]; }

}  // namespace air
