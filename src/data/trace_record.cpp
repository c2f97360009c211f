#include "data/trace_record.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "data/conversation.h"
#include "data/record_names.h"
#include "data/record_notes.h"
#include "data/record_shapes.h"
#include "data/template_value.h"

namespace air {

namespace {

[[noreturn]] void fail_missing(const RecordView& record, const std::string& what,
                               const std::string& flags) {
  throw Error(ErrorKind::kInput, "", what,
              flags + " (this record has: " + record.field_names() + ")");
}

void require_field(const RecordView& record, std::string_view field, const char* flag) {
  if (!record.has(field))
    fail_missing(record, "no field \"" + std::string(field) + "\"", std::string(flag) + " NAME");
}

/// `--prompt-field` and `--response-field`; the one that is not given is recognised.
ReadTraces read_named(const RecordView& record, const RecordFields& fields) {
  const std::string_view prompt =
      fields.prompt.empty() ? record.first_of(names::kPrompts) : fields.prompt;
  const std::string_view response =
      fields.response.empty() ? record.first_of(names::kResponses) : fields.response;
  if (prompt.empty()) fail_missing(record, "no field that holds the prompt", "--prompt-field NAME");
  if (response.empty())
    fail_missing(record, "no field that holds the response", "--response-field NAME");
  require_field(record, prompt, "--prompt-field");
  require_field(record, response, "--response-field");
  return read_prompt_and_answer(record, prompt, response);
}

[[noreturn]] void fail_unknown(const RecordView& record) {
  const bool has_prompt = !record.first_of(names::kPrompts).empty();
  const bool has_response = !record.first_of(names::kResponses).empty();
  if (has_prompt && !has_response)
    fail_missing(record, "no field \"response\"", "--response-field NAME");
  if (has_response && !has_prompt)
    fail_missing(record, "no field \"prompt\"", "--prompt-field NAME");
  fail_missing(record, "no fields that air knows as a trace",
               "--prompt-field NAME --response-field NAME, or --messages-field NAME");
}

ReadTraces read_messages_field(const RecordView& record, const RecordFields& fields) {
  require_field(record, fields.messages, "--messages-field");
  if (fields.response.empty()) return read_conversation(record, fields.messages, fields.turns);
  require_field(record, fields.response, "--response-field");
  return read_prompt_and_answer(record, fields.messages, fields.response);
}

/// `--reasoning-field`: a text for a record of one trace, or a list with a text for each trace.
void take_named_thinking(const RecordView& record, const std::string& field, ReadTraces& read) {
  require_field(record, field, "--reasoning-field");
  const RecordValue& value = record.get(field);
  const size_t count = value.is_array() ? value.items.size() : 1;
  if (count != read.traces.size())
    record.fail(field, "holds thinking for " + std::to_string(count) + " traces, the record has " +
                           std::to_string(read.traces.size()));
  for (size_t i = 0; i < count; ++i) {
    TraceRecord& trace = read.traces[i];
    if (calls_tools({"assistant", "", "", trace.turn}))
      record.fail(field,
                  "is named by --reasoning-field, but the turn calls tools: put its thinking "
                  "into the message, as \"reasoning_content\"");
    trace.turn = {};
    trace.reasoning = record.string_of(value.is_array() ? value.items[i] : value, field);
  }
  read.fields.push_back(field);
}

/// A column of thinking beside a response that has none.
void take_column_of_thinking(const RecordView& record, ReadTraces& read) {
  if (read.traces.size() != 1 || !read.traces.front().reasoning.empty() ||
      opens_thinking(read.traces.front().response))
    return;
  TraceRecord& trace = read.traces.front();
  for (const std::string_view name : names::kThinking) {
    const std::string_view field = record.first_of(std::array{name});
    if (field.empty() || !record.get(field).is_string()) continue;
    const std::string& text = record.text(field);
    if (!names::is_thought(text) || trace.response.find(text) != std::string::npos) continue;
    trace.reasoning = text;
    read.fields.insert(read.fields.end() - 1, std::string(field));
    return;
  }
}

/// The system text that a record keeps beside its conversation.
void take_system(const RecordView& record, const RecordFields& fields, ReadTraces& read) {
  std::string_view field = fields.system;
  if (field.empty()) field = record.first_of(names::kSystem);
  if (field.empty()) return;
  require_field(record, field, "--system-field");
  if (fields.system.empty() && !record.get(field).is_string()) return;
  const std::string& text = record.text(field);
  if (is_blank(text)) return;
  bool is_taken = false;
  for (TraceRecord& trace : read.traces) {
    if (trace.messages.empty()) continue;  // a document
    if (trace.messages.front().role == "system") {
      if (!fields.system.empty() && trace.messages.front().content != text)
        record.fail(field,
                    "is named by --system-field, but the messages begin with a system text "
                    "of their own");
      continue;
    }
    trace.messages.insert(trace.messages.begin(), {"system", text, ""});
    is_taken = true;
  }
  if (is_taken) read.fields.insert(read.fields.begin(), std::string(field));
}

/// The traces as the flags and the shape give them, with what lies in columns beside them.
ReadTraces read_traces(const RecordView& record, const RecordFields& fields, std::string& schema) {
  ReadTraces read;
  const RecordShape* shape = nullptr;
  if (!fields.messages.empty()) {
    schema = fields.messages;
    read = read_messages_field(record, fields);
  } else if (!fields.prompt.empty() || !fields.response.empty()) {
    schema = "named fields";
    read = read_named(record, fields);
  } else {
    shape = find_shape(record);
    if (shape == nullptr) fail_unknown(record);
    schema = shape->name;
    read = shape->read(record, fields.turns);
  }
  if (!fields.reasoning.empty())
    take_named_thinking(record, fields.reasoning, read);
  else if (shape == nullptr ? fields.messages.empty() || !fields.response.empty()
                            : shape->has_columns)
    take_column_of_thinking(record, read);
  take_system(record, fields, read);
  std::ranges::move(notes_of_left_out(record, read), std::back_inserter(read.notes));
  if (shape != nullptr)
    std::ranges::move(notes_of_other_shapes(record, *shape, read, fields.turns),
                      std::back_inserter(read.notes));
  return read;
}

std::string read_id(const RecordView& record, const std::string& field) {
  const RecordValue* id = record.find(field.empty() ? "id" : field);
  if (!id && !field.empty()) fail_missing(record, "no field \"" + field + "\"", "--id-field NAME");
  const bool usable = id && (id->is_string() || (id->is_number() && !id->is_not_json));
  if (!usable && !field.empty()) record.fail(field, "is " + kind_name(*id) + ", not an id");
  return usable ? id->text : "";
}

/// The record's own steps: a list of strings. Anything else under that name is some other field.
std::vector<std::string> read_steps(const RecordView& record) {
  const RecordValue* list = record.find("steps");
  std::vector<std::string> steps;
  if (!list || !list->is_array()) return steps;
  for (const RecordValue& item : list->items) {
    if (!item.is_string()) return {};
    steps.push_back(item.text);
  }
  return steps;
}

/// A list or object of the record; of a text that holds one, what it holds. Null when absent.
jinja::Value read_template_field(const RecordView& record, std::string_view field) {
  const RecordValue* value = record.find(field);
  if (!value || (value->is_string() && value->text.empty())) return {};
  try {
    if (!value->is_string()) return template_value(*value);
    const RecordValue inner = parse_record_line("{\"value\":" + value->text + "}");
    return template_value(inner.members.front().value);
  } catch (const Error& e) {
    record.fail(field, std::string("holds what is not JSON for a chat template: ") + e.what());
  }
}

/// `tools` and `chat_template_kwargs`, by the names that transformers and TRL give them.
ChatContext read_context(const RecordView& record) {
  using jinja::Value;
  ChatContext out;
  out.tools = read_template_field(record, "tools");
  const auto is_object = [](const Value& value) { return value.is(Value::Kind::kDict); };
  if (!out.tools.is_undefined() &&
      (!out.tools.is(Value::Kind::kList) ||
       !std::all_of(out.tools.items().begin(), out.tools.items().end(), is_object)))
    record.fail("tools", "is not a list of objects, as a chat template needs it");
  const Value kwargs = read_template_field(record, "chat_template_kwargs");
  if (kwargs.is_undefined()) return out;
  if (!is_object(kwargs)) record.fail("chat_template_kwargs", "is not an object");
  for (const auto& [name, value] : kwargs.as<jinja::Dict>().entries()) {
    if (name.as_text() == "messages" || name.as_text() == "add_generation_prompt")
      record.fail("chat_template_kwargs", "sets \"" + name.as_text() + "\", which is air's to set");
    out.kwargs.emplace_back(name.as_text(), value);
  }
  return out;
}

}  // namespace

ParsedRecord parse_record(std::string_view line, const RecordFields& fields) {
  const RecordValue root = parse_record_line(line);
  const RecordView record(root);
  ParsedRecord out;
  out.has_air = record.count("air") > 0;
  if (record.count("air") > 1) record.fail("air", "appears twice");
  ReadTraces read = read_traces(record, fields, out.schema);
  out.traces = std::move(read.traces);
  out.fields = std::move(read.fields);
  out.notes = std::move(read.notes);
  const std::string id = read_id(record, fields.id);
  const std::vector<std::string> steps =
      out.traces.size() == 1 ? read_steps(record) : std::vector<std::string>();
  const ChatContext context = read_context(record);
  for (TraceRecord& trace : out.traces) {
    const bool calls = calls_tools({"assistant", "", "", trace.turn});
    if (trace.response.empty() && trace.reasoning.empty() && !calls)
      throw Error(ErrorKind::kInput, "", "the response is empty");
    trace.id = id;
    trace.context = context;
    trace.steps = steps;
    out.is_rendered = out.is_rendered || (trace.messages.size() == 1 &&
                                          names::is_rendered(trace.messages.front().content));
  }
  return out;
}

}  // namespace air
