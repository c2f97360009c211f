// A scored line read back: the conversation, the response that was scored, and the steps with their
// scores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/trace_record.h"
#include "scored/manifest.h"
#include "scored/scored_numbers.h"
#include "text/chat_template.h"

namespace air {

/// A scored trace.
struct ScoredTrace {
  std::string id;     ///< empty when the record has none
  int64_t line = 0;   ///< in the input of `air score`, from 1
  int64_t trace = 0;  ///< which trace of that line, from 0
  int64_t rank = 0;   ///< 0: not ranked
  double influence = 0, divergence = 0, base_nll = 0, ref_nll = 0, entropy = 0;
  std::optional<double> controlled;  ///< nats per token; none without --controls
  double repetition = 1;             ///< as in the file; of a file without, that of the response
  int64_t num_tokens = 0, num_prompt_tokens = 0;
  int64_t num_excluded = 0;  ///< of num_tokens, left out of the means; 0 too without the flag
  std::vector<ChatMessage> messages;  ///< before the response; empty for a document
  std::string response;               ///< thinking and answer joined, as they were scored
  TraceRecord record;                 ///< what the line holds, for make_trace
  bool truncated = false;             ///< partially scored: `air score --overlong truncate`
  std::vector<ScoredStep> steps;  ///< they tile the response; of a truncated trace, its scored part
};

/// How the lines were read when they were scored.
struct ScoredReading {
  RecordFields fields;
};

/// What the flags say, then what the manifest of the scored file says, then the defaults.
/// @param manifest  null: there is none.
ScoredReading make_scored_reading(const RecordFields& flags, const Manifest* manifest);

/// What a scored line's scores are of. The record's response is the joined one: what was rendered
/// by a chat template then needs none now.
struct ScoredText {
  TraceRecord record;
  std::string response;  ///< thinking and answer joined, as they were scored
};

/// Reads the trace that the numbers are of.
/// @throws Error(kInput) when there is no such trace, or when its response does not end with the
///   last step (a truncated one: not before it): then it was scored with other flags.
ScoredText read_scored_text(std::string_view line, const ScoredReading& reading,
                            const ScoredNumbers& numbers);

/// @throws Error(kInput) when the line was not written by `air score`, or when its steps do not
///   tile the response that is read now: then it was scored with other flags.
ScoredTrace read_scored_trace(std::string_view line, const ScoredReading& reading);

}  // namespace air
