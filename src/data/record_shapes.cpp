#include "data/record_shapes.h"

#include <algorithm>
#include <array>

#include "data/conversation.h"

namespace air {

namespace {

constexpr std::array<std::string_view, 3> kResponsesToPrompts{"response", "completion", "output"};
constexpr std::array<std::string_view, 2> kAnswersToQuestions{"solution", "answer"};

bool is_prompt_response(const RecordView& record) {
  return record.has("prompt") && !record.first_of(kResponsesToPrompts).empty();
}

std::vector<TraceRecord> read_prompt_response(const RecordView& record, const RecordFields&) {
  return {single_turn(record.text("prompt"), record.text(record.first_of(kResponsesToPrompts)))};
}

bool is_thinking(const RecordView& record) {
  return record.has("question") && record.has("thinking_trajectories") && record.has("attempt");
}

/// s1K: one trace a trajectory; the answer `attempt` follows each.
std::vector<TraceRecord> read_thinking(const RecordView& record, const RecordFields&) {
  std::vector<TraceRecord> traces;
  for (const RecordValue& trajectory : record.list("thinking_trajectories").items) {
    traces.push_back(single_turn(record.text("question"), record.text("attempt")));
    traces.back().reasoning = record.string_of(trajectory, "thinking_trajectories");
  }
  if (traces.empty()) record.fail("thinking_trajectories", "is an empty list");
  return traces;
}

bool is_generations(const RecordView& record) {
  return record.has("problem") && record.has("generations");
}

/// Open-R1: one trace a generation.
std::vector<TraceRecord> read_generations(const RecordView& record, const RecordFields&) {
  std::vector<TraceRecord> traces;
  for (const RecordValue& generation : record.list("generations").items) {
    traces.push_back(
        single_turn(record.text("problem"), record.string_of(generation, "generations")));
  }
  if (traces.empty()) record.fail("generations", "is an empty list");
  return traces;
}

bool is_instruction(const RecordView& record) {
  return record.has("instruction") && record.has("output");
}

/// Alpaca: an input that is not empty stands under the instruction.
std::vector<TraceRecord> read_instruction(const RecordView& record, const RecordFields&) {
  std::string prompt = record.text("instruction");
  if (record.has("input") && !record.text("input").empty()) prompt += "\n" + record.text("input");
  return {single_turn(std::move(prompt), record.text("output"))};
}

bool is_question_solution(const RecordView& record) {
  return record.has("question") && !record.first_of(kAnswersToQuestions).empty();
}

std::vector<TraceRecord> read_question_solution(const RecordView& record, const RecordFields&) {
  return {single_turn(record.text("question"), record.text(record.first_of(kAnswersToQuestions)))};
}

bool is_messages(const RecordView& record) { return record.has("messages"); }

std::vector<TraceRecord> read_messages(const RecordView& record, const RecordFields& fields) {
  return read_conversation(record, "messages", "role", "content", fields);
}

bool is_conversations(const RecordView& record) { return record.has("conversations"); }

/// ShareGPT and OpenThoughts; a `system` field beside the list is the system message.
std::vector<TraceRecord> read_conversations(const RecordView& record, const RecordFields& fields) {
  std::vector<TraceRecord> traces =
      read_conversation(record, "conversations", "from", "value", fields);
  if (!record.has("system") || record.text("system").empty()) return traces;
  for (TraceRecord& trace : traces)
    if (trace.messages.empty() || trace.messages.front().role != "system")
      trace.messages.insert(trace.messages.begin(), {"system", record.text("system"), ""});
  return traces;
}

bool is_text(const RecordView& record) { return record.has("text"); }

/// A document: no conversation, all of it is scored.
std::vector<TraceRecord> read_text(const RecordView& record, const RecordFields&) {
  TraceRecord trace;
  trace.response = record.text("text");
  return {trace};
}

// In the order in which they are tried.
const std::array<RecordShape, 8> kShapes{{
    {"prompt+response", is_prompt_response, read_prompt_response},
    {"question+thinking_trajectories+attempt", is_thinking, read_thinking},
    {"problem+generations", is_generations, read_generations},
    {"instruction+output", is_instruction, read_instruction},
    {"question+solution", is_question_solution, read_question_solution},
    {"messages", is_messages, read_messages},
    {"conversations", is_conversations, read_conversations},
    {"text", is_text, read_text},
}};

}  // namespace

const RecordShape* find_shape(const RecordView& record) {
  const auto found =
      std::ranges::find_if(kShapes, [&](const RecordShape& shape) { return shape.fits(record); });
  return found == kShapes.end() ? nullptr : &*found;
}

}  // namespace air
