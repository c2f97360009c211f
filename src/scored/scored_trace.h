// A scored line read back: the conversation, the response that was scored, and the steps with their
// scores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "data/step_splitter.h"
#include "data/trace_record.h"
#include "text/chat_template.h"

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

/// A scored trace.
struct ScoredTrace {
  std::string id;    ///< empty when the record has none
  int64_t line = 0;  ///< in the input of `air score`, from 1
  int64_t rank = 0;  ///< 0: not ranked
  double influence = 0, divergence = 0, base_nll = 0, ref_nll = 0, entropy = 0;
  std::optional<double> controlled;  ///< nats per token; none without --controls
  int64_t num_tokens = 0, num_prompt_tokens = 0;
  std::vector<ChatMessage> messages;  ///< before the response; empty for a document
  std::string response;               ///< thinking and answer joined, as they were scored
  TraceRecord record;                 ///< what the line holds, for make_trace
  bool truncated = false;             ///< scored in part: `air score --overlong truncate`
  std::vector<ScoredStep> steps;  ///< they tile the response; of a truncated trace, its scored part
};

/// How the lines were read when they were scored.
struct ScoredReading {
  RecordFields fields;
};

/// What the flags say, then what the manifest of the scored file says ("fields"), then the
/// defaults.   @param manifest  null: there is none.
ScoredReading make_scored_reading(const RecordFields& flags, const Json& manifest);

/// The numbers of a scored line: the value of its key `air`.
/// @throws Error(kInput) when the line was not written by `air score`.
Json parse_air_object(std::string_view line, const std::string& where);

/// What a scored line's scores are of. The record's response is the joined one: what was rendered
/// by a chat template then needs none now.
struct ScoredText {
  TraceRecord record;
  std::string response;  ///< thinking and answer joined, as they were scored
};

/// @param trace  which of the record's traces, from 0.   @param steps_end  byte at which the last
/// of its steps ends.   @param in_part  that need not be the response's end.
/// @throws Error(kInput) when there is no such trace, or its response does not end there: then it
/// was scored with other flags.
ScoredText read_scored_text(std::string_view line, const ScoredReading& reading, int64_t trace,
                            int64_t steps_end, bool in_part, const std::string& where);

/// @throws Error(kInput) when the line was not written by `air score`, or when its steps do not
///   tile the response that is
///         read now: then it was scored with other flags.
ScoredTrace read_scored_trace(std::string_view line, const ScoredReading& reading,
                              const std::string& where);

}  // namespace air
