// A trace ready for a model: token ids, where the response begins, and the steps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/step_splitter.h"
#include "data/trace_record.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace air {

/// A step of a response.
struct Step {
  Span bytes;  ///< in the response; the steps tile it (up to the last step of a truncated trace)
  int64_t num_tokens = 0;  ///< response tokens whose first byte lies in the span; at least 1
};

/// Who opened the thinking of a response.
enum class ThinkingFrom { kNowhere, kFormat, kResponse };

/// A tokenized trace.
struct Trace {
  std::string id;
  std::vector<int32_t> ids;  ///< prompt and response, [T]
  std::vector<int64_t>
      begin;  ///< first byte of each token in the encoded text, -1 for tokens not in it, [T]
  int64_t response_begin = 1;  ///< index of the first response token: at least 1, for a token
                               ///< without context has no loss
  int64_t response_byte = 0;   ///< where the response begins in the encoded text
  std::vector<Step> steps;
  /// The response, where it is not what the record has by that name: thinking or tool calls were
  /// joined with it.
  std::optional<std::string> joined_response;
  ThinkingFrom thinking_from = ThinkingFrom::kNowhere;
  double repetition = 1;  ///< of the response's part that is scored (data/repetition.h)
  bool truncated =
      false;  ///< trailing tokens were dropped; the last step holds the last kept token

  int64_t num_tokens() const { return static_cast<int64_t>(ids.size()); }
  int64_t num_response_tokens() const { return num_tokens() - response_begin; }
};

/// How a record becomes a trace.
struct TraceOptions {
  ChatTemplate chat_template = ChatTemplate::none();
  StepRule step_rule;
  int64_t min_step_tokens = 1;  ///< a step of fewer tokens joins its neighbour
  int64_t max_steps = 0;        ///< more steps than these are joined in even groups; 0: no limit
  int64_t truncate_to = 0;      ///< keep this many tokens, prompt included; 0: all
};

/// The response that is scored: thinking and answer as the chat format joins them. Steps are spans
/// of it.
std::string response_text(const TraceRecord& record, const ChatTemplate& chat_template);

/// Encodes prompt and response as one text and assigns tokens to steps. A token that holds bytes of
/// both belongs to the prompt, and so does the very first token, which has no loss (a document
/// without BOS); a step that holds fewer response tokens' first bytes than min_step_tokens joins
/// its neighbour (the one before it; the first: the one after it). Tokens that the tokenizer adds
/// after the text (EOS) are left out. Source: docs/method.md section 3. Truncation comes before
/// the steps: those that lie beyond the cut are left out, the last one counts the tokens left.
/// @throws Error(kInput) that names no place when no response token is left.
Trace make_trace(const TraceRecord& record, const Tokenizer& tokenizer,
                 const TraceOptions& options);

}  // namespace air
