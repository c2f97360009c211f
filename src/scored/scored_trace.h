// A scored line read back: the conversation, the response that was scored, and the steps with their
// scores.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/trace_record.h"
#include "scored/manifest.h"
#include "scored/scored_numbers.h"
#include "text/chat_format.h"

namespace air {

/// A scored trace.
struct ScoredTrace {
  std::string id;     ///< empty when the record has none
  int64_t line = 0;   ///< in the input of `air score`, from 1
  int64_t trace = 0;  ///< which trace of that line, from 0
  int64_t rank = 0;   ///< 0: not ranked
  double influence = 0, divergence = 0, base_nll = 0, ref_nll = 0, entropy = 0;
  std::optional<double> controlled;  ///< nats per token; none without --controls
  int64_t num_tokens = 0, num_prompt_tokens = 0;
  std::vector<ChatMessage> messages;  ///< before the response; empty for a document
  std::string response;               ///< thinking and answer joined, as they were scored
  TraceRecord record;                 ///< what the line holds, for make_trace
  bool truncated = false;             ///< partially scored: `air score --overlong truncate`
  std::vector<ScoredStep> steps;  ///< they tile the response; of a truncated trace, its scored part
};

/// A chat format that is looked up when it is first needed: most readers of scored lines never do.
class LazyChatFormat {
 public:
  /// The format `none`.
  LazyChatFormat() = default;
  explicit LazyChatFormat(ChatFormat format) : format_(std::move(format)) {}
  /// @param find  may throw; the error ends the run where the format is needed.
  explicit LazyChatFormat(std::function<ChatFormat()> find) : find_(std::move(find)) {}

  const ChatFormat& get() const;

 private:
  std::function<ChatFormat()> find_;
  mutable std::optional<ChatFormat> format_;
};

/// How the lines were read when they were scored.
struct ScoredReading {
  RecordFields fields;
  LazyChatFormat chat_format;  ///< needed where a record keeps its thinking apart
};

/// What the flags say, then what the manifest of the scored file says, then the defaults.
/// @param chat_template  `auto`: the manifest's.   @param manifest  null: there is none.
ScoredReading make_scored_reading(const RecordFields& flags, const std::string& chat_template,
                                  const Manifest* manifest);

/// What a scored line's scores are of.
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
