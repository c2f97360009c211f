// Traces out of conversations: messages and their turns, questions and their answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/record_view.h"
#include "data/trace_record.h"

namespace air {

/// Traces, and what of the record they were read from.
struct ReadTraces {
  std::vector<TraceRecord> traces;
  std::vector<std::string> fields;  ///< as the record spells them, in the order of the trace
  std::vector<std::string> notes;   ///< what a user should know; each without a place
};

/// Traces of a list of messages, with role and content by any of the names that datasets give them:
/// those of the assistant's turns that `turns` ("last", "all") asks for.
/// @throws Error(kInput) when there is none.
ReadTraces read_conversation(const RecordView& record, std::string_view field,
                             const std::string& turns);

/// A prompt, text or a list of messages, and what answers it: text, a list of texts (a trace each),
/// or a list of messages (the last of the assistant's is the response).
ReadTraces read_prompt_and_answer(const RecordView& record, std::string_view prompt,
                                  std::string_view answer);

/// True when a field is a list of messages whose last one is not the assistant's.
bool ends_with_question(const RecordView& record, std::string_view field);

/// A text as the user's message.
ChatMessage user_message(std::string text);

}  // namespace air
