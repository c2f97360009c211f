#include "data/trace_record.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "data/conversation.h"
#include "data/record_shapes.h"
#include "data/template_value.h"

namespace air {

namespace {

constexpr std::array<std::string_view, 4> kPromptNames{"prompt", "question", "problem",
                                                       "instruction"};
constexpr std::array<std::string_view, 6> kResponseNames{"response", "completion", "output",
                                                         "solution", "answer",     "generation"};

[[noreturn]] void fail_missing(const RecordView& record, const std::string& what,
                               const std::string& flags) {
  throw Error(ErrorKind::kInput, "", what,
              flags + " (this record has: " + record.field_names() + ")");
}

/// `--prompt-field` and `--response-field`; the one that is not given is recognised.
std::vector<TraceRecord> read_named(const RecordView& record, const RecordFields& fields) {
  const std::string_view prompt =
      fields.prompt.empty() ? record.first_of(kPromptNames) : fields.prompt;
  const std::string_view response =
      fields.response.empty() ? record.first_of(kResponseNames) : fields.response;
  if (prompt.empty()) fail_missing(record, "no field that holds the prompt", "--prompt-field NAME");
  if (response.empty())
    fail_missing(record, "no field that holds the response", "--response-field NAME");
  if (!record.has(prompt))
    fail_missing(record, "no field \"" + std::string(prompt) + "\"", "--prompt-field NAME");
  if (!record.has(response))
    fail_missing(record, "no field \"" + std::string(response) + "\"", "--response-field NAME");
  const RecordValue& value = record.get(response);
  if (!value.is_array()) return {single_turn(record.text(prompt), record.text(response))};
  std::vector<TraceRecord> traces;
  for (const RecordValue& item : value.items)
    traces.push_back(single_turn(record.text(prompt), record.string_of(item, response)));
  if (traces.empty()) record.fail(response, "is an empty list");
  return traces;
}

[[noreturn]] void fail_unknown(const RecordView& record) {
  const bool has_prompt = !record.first_of(kPromptNames).empty();
  const bool has_response = !record.first_of(kResponseNames).empty();
  if (has_prompt && !has_response)
    fail_missing(record, "no field \"response\"", "--response-field NAME");
  if (has_response && !has_prompt)
    fail_missing(record, "no field \"prompt\"", "--prompt-field NAME");
  fail_missing(record, "no fields that air knows as a trace",
               "--prompt-field NAME --response-field NAME, or --messages-field NAME");
}

std::vector<TraceRecord> read_traces(const RecordView& record, const RecordFields& fields,
                                     std::string& schema) {
  if (!fields.messages.empty()) {
    if (!record.has(fields.messages))
      fail_missing(record, "no field \"" + fields.messages + "\"", "--messages-field NAME");
    schema = fields.messages;
    return read_conversation(record, fields.messages, "role", "content", fields);
  }
  if (!fields.prompt.empty() || !fields.response.empty()) {
    schema = "named fields";
    return read_named(record, fields);
  }
  const RecordShape* shape = find_shape(record);
  if (shape == nullptr) fail_unknown(record);
  schema = shape->name;
  return shape->read(record, fields);
}

std::string read_id(const RecordView& record, const std::string& field) {
  const RecordValue* id = record.find(field.empty() ? "id" : field);
  if (!id && !field.empty()) fail_missing(record, "no field \"" + field + "\"", "--id-field NAME");
  const bool usable = id && (id->is_string() || id->is_number());
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
  out.traces = read_traces(record, fields, out.schema);
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
  }
  return out;
}

}  // namespace air
