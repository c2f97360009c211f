// A scored trace as text for people: its prompt, then its steps with their numbers.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "scored/scored_tokens.h"
#include "scored/scored_trace.h"

namespace air {

/// What steps are coloured by.
enum class ColourBy { kInfluence, kDivergence, kLoss, kWeight };

struct TraceStyle {
  bool has_color = false;
  ColourBy by = ColourBy::kInfluence;
  /// Columns: what steps say is broken to fit, beside their numbers. None: it is not broken.
  std::optional<size_t> width = std::nullopt;
};

/// The trace, and under each step its tokens where `tokens` are given: coloured by what each costs
/// more, `|` between them. Control characters of the texts are shown as pictures (U+2400 …), so
/// that no trace sends commands to a terminal.
std::string view_of(const ScoredTrace& trace, const std::optional<ScoredTokens>& tokens,
                    const TraceStyle& style);

}  // namespace air
