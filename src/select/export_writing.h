// Pieces of JSON that several export formats write.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "select/exporter.h"

namespace air {

/// Part of a response that trains with one weight.
struct WeightedPart {
  std::string_view text;
  double weight = 1;
};

/// The steps as parts of the response. With a tokenizer the cuts move to the next token's first
/// byte, where a trainer that tokenizes parts one by one must cut; without one they stay where the
/// steps were cut.
std::vector<WeightedPart> weighted_parts(const ScoredTrace& trace, const ExportContext& context);

/// True when a format that knows only yes and no trains the step. The best step always trains: in a
/// trace of equal steps all weights are 1, give or take rounding.
bool trains(const ScoredStep& step, const ScoredTrace& trace, const ExportContext& context);

/// Formats that give each step a weight or a label need all steps scored.
/// @throws Error(kInput) for a trace that `air score --overlong truncate` cut: what lies beyond has
///   no weight.
void require_all_steps(const ScoredTrace& trace, const ExportContext& context);

/// A float as the trainers keep it (32 bits), always with a point or an exponent: readers that
/// guess a column's type from its first rows would take 1 for an integer and stumble over the next
/// 0.7.
void append_float(std::string& out, double value);

/// `"role":R,"content":C`, without braces.
void append_message_fields(std::string& out, std::string_view role, std::string_view content);

/// `{"role":…,"content":…},` of each message before the response; `extra` is added to each
/// assistant message: what keeps the trainer from training turns that were not scored.
void append_context(std::string& out, const ScoredTrace& trace,
                    std::string_view extra_of_assistant = "");

/// Number of characters (code points) in UTF-8 text: Python's len().
int64_t count_characters(std::string_view text);

}  // namespace air
