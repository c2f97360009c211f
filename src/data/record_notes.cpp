#include "data/record_notes.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "data/record_names.h"

namespace air {

namespace {

/// The text without white space and thinking tags, so that what differs in layout alone is equal.
std::string bare(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    const size_t tag = rest.starts_with("<think>") ? 7 : rest.starts_with("</think>") ? 8 : 0;
    if (tag == 0 && std::string_view(" \t\r\n").find(text[i]) == std::string_view::npos)
      out += text[i];
    i += std::max<size_t>(tag, 1);
  }
  return out;
}

std::vector<std::string> bare_responses(const ReadTraces& read) {
  std::vector<std::string> out;
  for (const TraceRecord& trace : read.traces)
    out.push_back(bare(trace.reasoning + trace.response));
  return out;
}

bool some_holds(const std::vector<std::string>& texts, const std::string& part) {
  return std::ranges::any_of(
      texts, [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

bool is_a_field_of(const ReadTraces& read, const std::string& name) {
  return std::ranges::find(read.fields, name) != read.fields.end();
}

/// Texts of a value: itself, or the items of a list of texts.
std::vector<std::string> texts_of(const RecordValue& value) {
  std::vector<std::string> out;
  if (value.is_string()) out.push_back(value.text);
  for (const RecordValue& item : value.items)
    if (item.is_string()) out.push_back(item.text);
  return out;
}

bool is_filled(const RecordValue& value) {
  return (value.is_string() && !is_blank(value.text)) || !value.items.empty() ||
         !value.members.empty();
}

std::string note_of(const RecordMember& member, const std::vector<std::string>& responses,
                    const std::vector<std::string>& prompts) {
  const auto& [name, value] = member;
  const std::string field = "the field \"" + name + "\" ";
  const std::vector<std::string> texts = texts_of(value);
  if (names::looks_like_thinking(name)) {
    const bool is_left_out = std::ranges::any_of(texts, [&](const std::string& text) {
      return names::is_thought(text) && !some_holds(responses, bare(text));
    });
    if (is_left_out)
      return field + "looks like thinking and is left out; --reasoning-field " + name + " reads it";
  } else if (names::looks_like_system(name)) {
    if (value.is_string() && !is_blank(value.text) && !some_holds(prompts, bare(value.text)))
      return field + "looks like a system text and is left out; --system-field " + name +
             " reads it";
  } else if (names::looks_like_history(name)) {
    if (is_filled(value)) return field + "looks like earlier turns, and is left out";
  } else if (names::looks_like_tools(name) && is_filled(value)) {
    return field + "looks like tools and is left out: chat templates are given \"tools\"";
  }
  return "";
}

}  // namespace

std::vector<std::string> notes_of_left_out(const RecordView& record, const ReadTraces& read) {
  std::vector<std::string> responses, prompts, notes;
  for (const RecordMember& member : record.members()) {
    const std::string& name = member.name;
    const bool may_matter = names::looks_like_thinking(name) || names::looks_like_system(name) ||
                            names::looks_like_history(name) || names::looks_like_tools(name);
    if (!may_matter || is_a_field_of(read, name)) continue;
    if (responses.empty()) {
      responses = bare_responses(read);
      for (const TraceRecord& trace : read.traces)
        for (const ChatMessage& message : trace.messages) prompts.push_back(bare(message.content));
    }
    if (std::string note = note_of(member, responses, prompts); !note.empty())
      notes.push_back(std::move(note));
  }
  return notes;
}

std::vector<std::string> notes_of_other_shapes(const RecordView& record, const RecordShape& shape,
                                               const ReadTraces& read, const std::string& turns) {
  std::vector<std::string> notes;
  const std::vector<const RecordShape*> others = other_shapes(record, shape);
  if (others.empty()) return notes;
  const std::vector<std::string> ours = bare_responses(read);
  for (const RecordShape* other : others) {
    try {
      const ReadTraces alternative = other->read(record, turns);
      if (!alternative.notes.empty())
        continue;  // an earlier turn is not another reading of the record
      const std::vector<std::string> theirs = bare_responses(alternative);
      const bool is_part = std::ranges::all_of(
          theirs, [&](const std::string& text) { return some_holds(ours, text); });
      if (!is_part)
        notes.push_back("read as " + std::string(shape.name) + " (" + join(read.fields, ", ") +
                        "); as " + other->name + " (" + join(alternative.fields, ", ") +
                        ") it would be another text");
    } catch (const Error&) {  // what cannot be read that way is no alternative
    }
  }
  return notes;
}

}  // namespace air
