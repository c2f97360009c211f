// A line of a dataset as traces: prompt and response found in the schemas that people have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace air {

/// Flags that say which fields to read; empty = recognise. A name may be a path:
/// "question.problem".
struct RecordFields {
  std::string prompt = "", response = "", messages = "", id = "";
  std::string reasoning = "";  ///< `--reasoning-field`: thinking, beside the response
  std::string system = "";     ///< `--system-field`
  std::string turns =
      "last";  ///< `--turns last|all`: which assistant turns of a conversation are traces
};

/// One trace of a record.
struct TraceRecord {
  std::string id;  ///< text of the id field (a number as written); empty when there is none
  std::vector<ChatMessage>
      messages;  ///< the conversation before the response; empty for a document (`text` alone)
  std::string reasoning;  ///< thinking that the record keeps apart from the response; empty: none
  std::string response;   ///< decoded bytes, without `reasoning`
  /// All that the record says of the scored turn, as a dict; undefined where it is no message.
  jinja::Value turn = {};
  ChatContext context;             ///< what the record gives the chat template beside its messages
  std::vector<std::string> steps;  ///< the record's own steps, when it has them (`--steps record`)
};

/// What a line holds.
struct ParsedRecord {
  std::vector<TraceRecord> traces;  ///< one, or one for each generation or turn
  bool has_air = false;             ///< the record already has an `air` key
  std::string schema;               ///< how it was read: "prompt+response", "messages", …
  std::vector<std::string> fields;  ///< the fields that the traces were read from, in their order
  /// What a user should know: columns that were left out, other shapes that fit.
  std::vector<std::string> notes;
  bool is_rendered = false;  ///< a prompt holds marks of a chat template: it was rendered already
};

/// Reads one line. Numbers are never converted, unknown fields never looked at; a field that is
/// used must appear once.
/// @throws Error(kInput) that names no place: not JSON, not an object, no field that fits (naming
///   the fields it has and the flags that help), invalid UTF-8 with its byte position, an empty
///   response.
ParsedRecord parse_record(std::string_view line, const RecordFields& fields);

}  // namespace air
