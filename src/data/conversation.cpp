#include "data/conversation.h"

#include <algorithm>
#include <array>

#include "base/error.h"
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

/// Text of a message, and the thinking that stands beside it in a list of parts.
struct Content {
  std::string text, thinking;
  bool has_thinking = false;
};

/// A string, or a list of parts: of type "text"; of an assistant also "thinking" or "reasoning".
Content read_content(const RecordView& record, const RecordValue& content, std::string_view field,
                     bool is_assistant) {
  constexpr std::array<std::string_view, 3> kTexts{"text", "output_text", "input_text"};
  constexpr std::array<std::string_view, 3> kThoughts{"thinking", "reasoning", "text"};
  Content out;
  if (content.is_string()) {
    out.text = record.string_of(content, field);
    return out;
  }
  if (!content.is_array())
    record.fail(field, "holds content that is " + kind_name(content) + ", not text");
  for (const RecordValue& item : content.items) {
    if (!item.is_object()) record.fail(field, "holds content that is not text");
    const RecordView part(item);
    const std::string type = part.has("type") ? part.text("type") : "";
    if (std::ranges::find(kTexts, type) != kTexts.end()) {
      out.text += part.text("text");
    } else if (is_assistant && (type == "thinking" || type == "reasoning") &&
               !part.first_of(kThoughts).empty()) {
      out.thinking += part.text(part.first_of(kThoughts));
      out.has_thinking = true;
    } else {
      record.fail(field, "holds a content block that is not of type \"text\"" +
                             (type.empty() ? "" : ", but \"" + type + "\""));
    }
  }
  return out;
}

/// OpenRouter's list of what a model thought: texts and summaries. Encrypted thoughts say nothing.
std::string text_of_details(const RecordView& message) {
  std::string text;
  const RecordValue* details = message.find("reasoning_details");
  if (details == nullptr || !details->is_array()) return text;
  for (const RecordValue& item : details->items) {
    if (!item.is_object()) message.fail("reasoning_details", "holds " + kind_name(item));
    const RecordView detail(item);
    for (const char* key : {"text", "summary"})
      if (detail.has(key)) text += detail.text(key);
  }
  return text;
}

/// The message with its content as one text and its thinking under the name that most templates
/// read.
jinja::Value with_thinking(const jinja::Value& fields, const ChatMessage& message) {
  jinja::Budget budget{jinja::Limits()};
  auto out = std::make_shared<jinja::Dict>();
  for (const auto& [name, value] : fields.as<jinja::Dict>().entries()) {
    const bool is_content = name.as_text() == "content";
    out->set(budget, name, is_content ? jinja::Value::text(message.content) : value);
  }
  out->set(budget, jinja::Value::text(std::string(kReasoningKeys.front())),
           jinja::Value::text(message.reasoning));
  return jinja::Value::of(jinja::Value::Kind::kDict, std::move(out));
}

ChatMessage read_message(const RecordView& record, const RecordValue& item,
                         std::string_view field) {
  if (!item.is_object()) record.fail(field, "holds " + kind_name(item) + ", not messages");
  const RecordView message(item);
  ChatMessage out;
  // Lists of any name hold messages of either spelling.
  const bool is_share_gpt = message.has("from") && !message.has("role");
  const std::string_view role = is_share_gpt ? "from" : "role";
  const std::string_view content = is_share_gpt ? "value" : "content";
  if (!message.has(role))
    record.fail(field,
                "holds a message without \"role\" or \"from\": it has " + message.field_names());
  out.role = role_name(message.text(role));
  const bool is_assistant = out.role == "assistant";
  for (const std::string_view key : kReasoningKeys)
    if (is_assistant && out.reasoning.empty() && message.has(key))
      out.reasoning = message.text(key);
  out.fields = fields_of(item, role, content, out.role);
  Content parts;
  if (message.has(content))
    parts = read_content(record, *message.find(content), field, is_assistant);
  out.content = parts.text;
  if (is_assistant && out.reasoning.empty()) {
    out.reasoning = parts.has_thinking ? parts.thinking : text_of_details(message);
    if (!out.reasoning.empty()) out.fields = with_thinking(out.fields, out);
  }
  if (!message.has(content) && out.reasoning.empty() && !calls_tools(out))
    record.fail(field,
                "holds a message of \"" + out.role + "\" without \"" + std::string(content) + "\"");
  return out;
}

std::vector<ChatMessage> read_messages(const RecordView& record, const RecordValue& list,
                                       std::string_view field) {
  std::vector<ChatMessage> messages;
  for (const RecordValue& item : list.items) messages.push_back(read_message(record, item, field));
  return messages;
}

TraceRecord trace_of_turn(const std::vector<ChatMessage>& messages, size_t turn) {
  TraceRecord trace;
  trace.messages.assign(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(turn));
  trace.reasoning = messages[turn].reasoning;
  trace.response = messages[turn].content;
  trace.turn = messages[turn].fields;
  return trace;
}

bool is_answer(const ChatMessage& message) { return message.role == "assistant"; }

/// The traces of the turns that are asked for; none when the assistant has no turn.
std::vector<TraceRecord> traces_of(const std::vector<ChatMessage>& messages,
                                   const std::string& turns) {
  std::vector<TraceRecord> traces;
  if (turns == "all") {
    for (size_t i = 0; i < messages.size(); ++i)
      if (is_answer(messages[i])) traces.push_back(trace_of_turn(messages, i));
  } else if (const auto last = std::find_if(messages.rbegin(), messages.rend(), is_answer);
             last != messages.rend()) {
    traces.push_back(trace_of_turn(messages, static_cast<size_t>(messages.rend() - last) - 1));
  }
  return traces;
}

bool holds_messages(const RecordValue& value) {
  return value.is_array() && !value.items.empty() && value.items.front().is_object();
}

/// What comes before the response: one question, or a list of messages.
std::vector<ChatMessage> read_prompt(const RecordView& record, std::string_view field) {
  const RecordValue& value = record.get(field);
  if (holds_messages(value)) return read_messages(record, value, field);
  return {user_message(record.string_of(value, field))};
}

}  // namespace

ChatMessage user_message(std::string text) { return {"user", std::move(text), ""}; }

bool ends_with_question(const RecordView& record, std::string_view field) {
  const RecordValue* list = record.find(field);
  if (list == nullptr || !holds_messages(*list) || !list->items.back().is_object()) return false;
  const RecordView last(list->items.back());
  for (const std::string_view role : {"role", "from"})
    if (last.has(role)) return role_name(last.text(role)) != "assistant";
  return false;
}

ReadTraces read_conversation(const RecordView& record, std::string_view field,
                             const std::string& turns) {
  ReadTraces out;
  const std::vector<ChatMessage> messages = read_messages(record, record.list(field), field);
  out.traces = traces_of(messages, turns);
  if (out.traces.empty()) record.fail(field, "has no turn of the assistant");
  out.fields.emplace_back(field);
  if (!is_answer(messages.back()))
    out.notes.push_back("the conversation in \"" + std::string(field) +
                        "\" ends with a turn of \"" + messages.back().role +
                        "\": the answer before it is the one that is read");
  return out;
}

ReadTraces read_prompt_and_answer(const RecordView& record, std::string_view prompt,
                                  std::string_view answer) {
  ReadTraces out;
  out.fields = {std::string(prompt), std::string(answer)};
  const std::vector<ChatMessage> messages = read_prompt(record, prompt);
  const RecordValue& value = record.get(answer);
  if (holds_messages(value)) {
    std::vector<ChatMessage> all = messages;
    std::ranges::move(read_messages(record, value, answer), std::back_inserter(all));
    out.traces = traces_of(all, "last");
    if (out.traces.empty() || out.traces.front().messages.size() < messages.size())
      record.fail(answer, "has no turn of the assistant");
    return out;
  }
  if (value.is_array() && value.items.empty()) record.fail(answer, "is an empty list");
  const auto add = [&](const RecordValue& text) {
    TraceRecord& trace = out.traces.emplace_back();
    trace.messages = messages;
    trace.response = record.string_of(text, answer);
  };
  if (value.is_array())
    std::ranges::for_each(value.items, add);
  else
    add(value);
  return out;
}

}  // namespace air
