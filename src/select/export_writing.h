// Pieces of JSON that several export formats write.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "data/trace.h"
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
void require_all_steps(const ScoredTrace& trace);

/// The steps must hold the tokens that they held when they were scored.
/// @throws Error(kInput): they were scored with another tokenizer or chat template.
void require_same_tokens(const ScoredTrace& scored, const Trace& trace);

/// A float as the trainers keep it (32 bits), always with a period or an exponent: readers that
/// guess a column's type from its first rows would take 1 for an integer and stumble over the next
/// 0.7.
void write_float(JsonWriter& json, double value);

/// `"role":R,"content":C`, without braces.
void write_message_fields(JsonWriter& json, std::string_view role, std::string_view content);

/// `{"role":R,"content":C}`
void write_message(JsonWriter& json, std::string_view role, std::string_view content);

/// Each message before the response. Assistant messages get one more key, when it is not empty:
/// what keeps the trainer from training turns that were not scored. @param value  its JSON.
void write_context(JsonWriter& json, const ScoredTrace& trace,
                   std::string_view key_of_assistant = "", std::string_view value = "");

/// Number of characters (code points) in UTF-8 text: Python's len().
int64_t count_characters(std::string_view text);

}  // namespace air
