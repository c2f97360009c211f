// Traces out of conversations: one question and its answer, or a list of messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/record_view.h"
#include "data/trace_record.h"

namespace air {

/// A trace of one question.
TraceRecord single_turn(std::string prompt, std::string response);

/// Traces of a conversation, `key_role` and `key_content` naming the fields of a message.
std::vector<TraceRecord> read_conversation(const RecordView& record, std::string_view field,
                                           std::string_view key_role, std::string_view key_content,
                                           const RecordFields& fields);

/// Text of a message: a string, or a list of blocks of type "text".
std::string content_text(const RecordView& record, const RecordValue& content,
                         std::string_view field);

}  // namespace air
