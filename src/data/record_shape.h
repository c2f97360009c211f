// The shapes of records that are recognised without a flag: one source file a shape, named
// shape_*.cpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/record_value.h"
#include "data/trace_record.h"

namespace air {

/// A record with the means to read its fields and to complain about them.
class RecordView {
 public:
  RecordView(const RecordValue& record, const std::string& where)
      : record_(record), where_(where) {}

  const std::string& where() const { return where_; }
  /// The field, null when it is absent or JSON null. A path "a.b" descends, unless the record has
  /// that very key.
  /// @throws Error(kInput) when the field stands there twice.
  const RecordValue* find(std::string_view field) const;
  /// The first of these fields that the record has; empty: none.
  std::string_view first_of(std::span<const std::string_view> fields) const;
  /// How often the record has this very key.
  int64_t count(std::string_view key) const;
  bool has(std::string_view field) const { return find(field) != nullptr; }
  /// A field that must be there, as text. @throws Error(kInput).
  const std::string& text(std::string_view field) const;
  const RecordValue& get(std::string_view field) const;
  /// The text of a value that stands in `field`. @throws Error(kInput) when it is no string.
  const std::string& string_of(const RecordValue& value, std::string_view field) const;
  /// A field that must be there and be a list.
  const RecordValue& list(std::string_view field) const;
  /// "question, solution": for hints.
  std::string field_names() const;
  /// @throws Error(kInput) naming the field.
  [[noreturn]] void fail(std::string_view field, const std::string& what) const;

 private:
  const RecordValue& record_;
  const std::string& where_;
};

/// One way in which datasets write traces.
struct RecordShape {
  const char* name;
  /// True when the record has this shape's fields.
  bool (*fits)(const RecordView& record);
  /// Reads them. @throws Error(kInput).
  std::vector<TraceRecord> (*read)(const RecordView& record, const RecordFields& fields);
};

// In the order in which they are tried.
extern const RecordShape kPromptResponseShape;    // prompt + response, completion or output
extern const RecordShape kThinkingShape;          // s1K: question, thinking_trajectories[], attempt
extern const RecordShape kGenerationsShape;       // problem + generations[]
extern const RecordShape kInstructionShape;       // instruction (+ input) + output
extern const RecordShape kQuestionSolutionShape;  // question + solution or answer
extern const RecordShape kMessagesShape;          // messages[]: role, content
extern const RecordShape kConversationsShape;     // conversations[]: from, value
extern const RecordShape kTextShape;              // text alone: a document

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
