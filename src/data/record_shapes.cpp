#include "data/record_shapes.h"

#include <algorithm>
#include <array>
#include <span>

#include "data/record_names.h"

namespace air {

namespace {

using Names = std::span<const std::string_view>;

template <size_t size>
using NameList = std::array<std::string_view, size>;

constexpr NameList<1> kPrompt{"prompt"}, kQuestion{"question"}, kProblem{"problem"},
    kInstruction{"instruction"}, kInput{"input"}, kOutput{"output"}, kMessages{"messages"},
    kConversations{"conversations"}, kText{"text"};
constexpr NameList<3> kAnyQuestion{"question", "problem", "prompt"};
constexpr NameList<3> kResponse{"response", "completion", "output"};
constexpr NameList<2> kSolution{"solution", "answer"};
constexpr NameList<2> kLists{"messages", "conversations"};
constexpr NameList<2> kContext{"input", "context"};
constexpr NameList<5> kOtherPrompts{"question", "problem", "instruction", "query", "user"};
constexpr NameList<5> kOtherResponses{"response", "completion", "output", "generation",
                                      "assistant"};

bool has_both(const RecordView& record, Names prompts, Names responses) {
  return !record.first_of(prompts).empty() && !record.first_of(responses).empty();
}

ReadTraces read_pair(const RecordView& record, Names prompts, Names responses) {
  return read_prompt_and_answer(record, record.first_of(prompts), record.first_of(responses));
}

/// A shape of two fields: a name for each that the record has, of the lists.
template <const auto& prompts, const auto& responses>
constexpr RecordShape pair_shape(const char* name) {
  return {name, [](const RecordView& record) { return has_both(record, prompts, responses); },
          [](const RecordView& record, const std::string&) {
            return read_pair(record, prompts, responses);
          },
          true};
}

TraceRecord trace_of(ChatMessage question, std::string reasoning, std::string response) {
  TraceRecord trace;
  trace.messages.push_back(std::move(question));
  trace.reasoning = std::move(reasoning);
  trace.response = std::move(response);
  return trace;
}

bool is_thinking(const RecordView& record) {
  return record.has("question") && record.has("thinking_trajectories") && record.has("attempt");
}

/// s1K: one trace a trajectory; the answer `attempt` follows each.
ReadTraces read_thinking(const RecordView& record, const std::string&) {
  ReadTraces out;
  out.fields = {"question", "thinking_trajectories", "attempt"};
  for (const RecordValue& trajectory : record.list("thinking_trajectories").items)
    out.traces.push_back(trace_of(user_message(record.text("question")),
                                  record.string_of(trajectory, "thinking_trajectories"),
                                  record.text("attempt")));
  if (out.traces.empty()) record.fail("thinking_trajectories", "is an empty list");
  return out;
}

struct Columns {
  std::string thinking, answer;
};

/// Pairs of columns of one model: `gemini_thinking_trajectory` and `gemini_attempt`.
std::vector<Columns> model_columns(const RecordView& record) {
  constexpr NameList<3> kThinkingEnds{"_thinking_trajectory", "_reasoning", "_thinking"};
  constexpr NameList<4> kAnswerEnds{"_attempt", "_solution", "_answer", "_response"};
  std::vector<Columns> out;
  for (const RecordMember& member : record.members())
    for (const std::string_view end : kThinkingEnds) {
      if (!member.name.ends_with(end) || !member.value.is_string()) continue;
      const std::string model = member.name.substr(0, member.name.size() - end.size());
      const auto answer = std::ranges::find_if(kAnswerEnds, [&](std::string_view answer_end) {
        return record.has(model + std::string(answer_end));
      });
      if (answer == kAnswerEnds.end()) continue;
      out.push_back({member.name, model + std::string(*answer)});
      break;
    }
  return out;
}

bool is_model_columns(const RecordView& record) {
  return !record.first_of(kAnyQuestion).empty() && !model_columns(record).empty();
}

/// s1K-1.1 and OpenThoughts' metadata: one trace a model, in the order of their thinking.
ReadTraces read_model_columns(const RecordView& record, const std::string&) {
  ReadTraces out;
  const std::string_view question = record.first_of(kAnyQuestion);
  out.fields.emplace_back(question);
  for (const auto& [thinking, answer] : model_columns(record)) {
    out.fields.push_back(thinking);
    out.fields.push_back(answer);
    out.traces.push_back(
        trace_of(user_message(record.text(question)), record.text(thinking), record.text(answer)));
  }
  return out;
}

bool is_generations(const RecordView& record) {
  return record.has("problem") && record.has("generations");
}

/// Open-R1: one trace a generation.
ReadTraces read_generations(const RecordView& record, const std::string&) {
  record.list("generations");
  return read_prompt_and_answer(record, "problem", "generations");
}

/// [["question", "answer"], …] as messages.
std::vector<ChatMessage> read_history(const RecordView& record, std::string_view field) {
  std::vector<ChatMessage> messages;
  for (const RecordValue& turn : record.list(field).items) {
    if (!turn.is_array() || turn.items.size() != 2)
      record.fail(field, "is not a list of pairs of a question and its answer");
    messages.push_back(user_message(record.string_of(turn.items[0], field)));
    messages.push_back({"assistant", record.string_of(turn.items[1], field), ""});
  }
  return messages;
}

bool is_instruction(const RecordView& record) { return has_both(record, kInstruction, kOutput); }

/// Alpaca: an input that is not empty stands under the instruction; earlier turns come before it.
ReadTraces read_instruction(const RecordView& record, Names responses) {
  ReadTraces out = read_pair(record, kInstruction, responses);
  const std::string_view input = record.first_of(kContext);
  const bool has_input = !input.empty() && !record.text(input).empty();
  if (has_input) out.fields.insert(out.fields.begin() + 1, std::string(input));
  std::vector<ChatMessage> history;
  if (record.has(names::kHistory) && record.get(names::kHistory).is_array()) {
    history = read_history(record, names::kHistory);
    if (!history.empty()) out.fields.insert(out.fields.begin(), std::string(names::kHistory));
  }
  for (TraceRecord& trace : out.traces) {
    if (has_input) trace.messages.back().content += "\n" + record.text(input);
    trace.messages.insert(trace.messages.begin(), history.begin(), history.end());
  }
  return out;
}

bool is_open_conversation(const RecordView& record) {
  const std::string_view list = record.first_of(kLists);
  return !list.empty() && !record.first_of(names::kAnswers).empty() &&
         ends_with_question(record, list);
}

/// Dolphin-R1: the answer to a conversation lies beside it.
ReadTraces read_open_conversation(const RecordView& record, const std::string&) {
  return read_pair(record, kLists, names::kAnswers);
}

/// A document: no conversation, all of it is scored.
ReadTraces read_text(const RecordView& record, const std::string&) {
  ReadTraces out;
  out.fields.emplace_back(record.first_of(kText));
  out.traces.emplace_back().response = record.text(out.fields.front());
  return out;
}

constexpr RecordShape kMessagesShape{
    "messages", [](const RecordView& record) { return !record.first_of(kMessages).empty(); },
    [](const RecordView& record, const std::string& turns) {
      return read_conversation(record, record.first_of(kMessages), turns);
    },
    false};
constexpr RecordShape kConversationsShape{
    "conversations",
    [](const RecordView& record) { return !record.first_of(kConversations).empty(); },
    [](const RecordView& record, const std::string& turns) {
      return read_conversation(record, record.first_of(kConversations), turns);
    },
    false};

// In the order in which they are tried.
const std::array<RecordShape, 14> kShapes{{
    pair_shape<kPrompt, kResponse>("prompt+response"),
    {"question+thinking_trajectories+attempt", is_thinking, read_thinking, false},
    {"question+MODEL_thinking_trajectory+MODEL_attempt", is_model_columns, read_model_columns,
     false},
    {"problem+generations", is_generations, read_generations, true},
    {"instruction+output", is_instruction,
     [](const RecordView& record, const std::string&) { return read_instruction(record, kOutput); },
     true},
    pair_shape<kQuestion, kSolution>("question+solution"),
    {"messages+answer", is_open_conversation, read_open_conversation, true},
    kMessagesShape,
    kConversationsShape,
    pair_shape<kProblem, kSolution>("problem+solution"),
    {"instruction+response",
     [](const RecordView& record) { return has_both(record, kInstruction, kResponse); },
     [](const RecordView& record, const std::string&) {
       return read_instruction(record, kResponse);
     },
     true},
    pair_shape<kOtherPrompts, kOtherResponses>("question+response"),
    pair_shape<kInput, kOutput>("input+output"),
    {"text", [](const RecordView& record) { return !record.first_of(kText).empty(); }, read_text,
     false},
}};

}  // namespace

const RecordShape* find_shape(const RecordView& record) {
  const auto found =
      std::ranges::find_if(kShapes, [&](const RecordShape& shape) { return shape.fits(record); });
  return found == kShapes.end() ? nullptr : &*found;
}

std::vector<const RecordShape*> other_shapes(const RecordView& record, const RecordShape& shape) {
  std::vector<const RecordShape*> out;
  for (const RecordShape* other = &shape + 1; other < &kShapes.back(); ++other)
    if (other->fits(record)) out.push_back(other);
  return out;
}

}  // namespace air
