#include "data/conversation.h"

#include <algorithm>
#include <array>

#include "data/template_value.h"
#include "text/jinja/runtime.h"

namespace air {

namespace {

// What assistants' thinking is called: by most model servers, by gpt-oss, by OpenRouter.
constexpr std::array<std::string_view, 3> kReasoningKeys{"reasoning_content", "thinking",
                                                         "reasoning"};

/// The names that datasets give to the three roles; others stay as they are.
std::string role_name(const std::string& name) {
  if (name == "human") return "user";
  if (name == "gpt" || name == "model" || name == "bot") return "assistant";
  return name;
}

/// The message as a template sees it: all its fields, role and content by these names.
jinja::Value fields_of(const RecordValue& message, std::string_view role, std::string_view content,
                       const std::string& role_value) {
  jinja::Budget budget{jinja::Limits()};
  auto out = std::make_shared<jinja::Dict>();
  for (const auto& [name, value] : message.members) {
    const std::string key = name == role ? "role" : name == content ? "content" : name;
    out->set(budget, jinja::Value::text(key),
             name == role ? jinja::Value::text(role_value) : template_value(value));
  }
  return jinja::Value::of(jinja::Value::Kind::kDict, std::move(out));
}

ChatMessage read_message(const RecordView& record, const RecordValue& item, std::string_view field,
                         std::string_view key_role, std::string_view key_content) {
  if (!item.is_object()) record.fail(field, "holds " + kind_name(item) + ", not messages");
  const RecordView message(item);
  ChatMessage out;
  // Lists of either name hold messages of either spelling.
  const bool swapped = !message.has(key_role);
  const std::string_view role = !swapped ? key_role : key_role == "role" ? "from" : "role";
  const std::string_view content = !swapped                   ? key_content
                                   : key_content == "content" ? "value"
                                                              : "content";
  if (!message.has(role))
    record.fail(field, "holds a message without \"" + std::string(key_role) + "\": it has " +
                           message.field_names());
  out.role = role_name(message.text(role));
  for (const std::string_view key : kReasoningKeys)
    if (out.role == "assistant" && out.reasoning.empty() && message.has(key))
      out.reasoning = message.text(key);
  out.fields = fields_of(item, role, content, out.role);
  if (message.has(content))
    out.content = content_text(record, *message.find(content), field);
  else if (out.reasoning.empty() && !calls_tools(out))
    record.fail(field,
                "holds a message of \"" + out.role + "\" without \"" + std::string(content) + "\"");
  return out;
}

TraceRecord trace_of_turn(const std::vector<ChatMessage>& messages, size_t turn) {
  TraceRecord trace;
  trace.messages.assign(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(turn));
  trace.reasoning = messages[turn].reasoning;
  trace.response = messages[turn].content;
  trace.turn = messages[turn].fields;
  return trace;
}

}  // namespace

TraceRecord single_turn(std::string prompt, std::string response) {
  TraceRecord trace;
  trace.messages.push_back({"user", std::move(prompt), ""});
  trace.response = std::move(response);
  return trace;
}

std::string content_text(const RecordView& record, const RecordValue& content,
                         std::string_view field) {
  if (content.is_string()) return record.string_of(content, field);
  if (!content.is_array())
    record.fail(field, "holds content that is " + kind_name(content) + ", not text");
  std::string text;
  for (const RecordValue& item : content.items) {
    if (!item.is_object()) record.fail(field, "holds content that is not text");
    const RecordView block(item);
    if (!block.has("type") || block.text("type") != "text")
      record.fail(field, "holds a content block that is not of type \"text\"");
    text += block.text("text");
  }
  return text;
}

std::vector<TraceRecord> read_conversation(const RecordView& record, std::string_view field,
                                           std::string_view key_role, std::string_view key_content,
                                           const RecordFields& fields) {
  std::vector<ChatMessage> messages;
  for (const RecordValue& item : record.list(field).items)
    messages.push_back(read_message(record, item, field, key_role, key_content));
  const auto is_answer = [](const ChatMessage& m) { return m.role == "assistant"; };
  std::vector<TraceRecord> traces;
  if (fields.turns == "all") {
    for (size_t i = 0; i < messages.size(); ++i)
      if (is_answer(messages[i])) traces.push_back(trace_of_turn(messages, i));
  } else if (const auto last = std::find_if(messages.rbegin(), messages.rend(), is_answer);
             last != messages.rend()) {
    traces.push_back(trace_of_turn(messages, static_cast<size_t>(messages.rend() - last) - 1));
  }
  if (traces.empty()) record.fail(field, "has no turn of the assistant");
  return traces;
}

}  // namespace air
