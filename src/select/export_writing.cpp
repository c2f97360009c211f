#include "select/export_writing.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "data/trace.h"
#include "text/utf8.h"

namespace air {

namespace {

/// Bytes of the response where a cut does not fall inside a token or a character, ascending; the
/// end is one.
std::vector<int64_t> token_cuts(const ScoredTrace& scored, const ExportContext& context) {
  const Trace trace = make_trace(scored.record, *context.tokenizer,
                                 {.chat_template = context.chat_template, .step_rule = {}});
  require_same_tokens(scored, trace);
  std::vector<int64_t> cuts;
  for (int64_t i = trace.response_begin; i < trace.num_tokens(); ++i) {
    const int64_t byte = trace.begin[static_cast<size_t>(i)] - trace.response_byte;
    if (byte >= 0 && !is_continuation_byte(scored.response[static_cast<size_t>(byte)]))
      cuts.push_back(byte);
  }
  cuts.push_back(static_cast<int64_t>(scored.response.size()));
  return cuts;
}

}  // namespace

std::vector<WeightedPart> weighted_parts(const ScoredTrace& trace, const ExportContext& context) {
  require_all_steps(trace);
  std::vector<int64_t> cuts;
  if (context.tokenizer != nullptr) cuts = token_cuts(trace, context);
  std::vector<WeightedPart> parts;
  int64_t begin = 0;
  for (const ScoredStep& step : trace.steps) {
    const int64_t end =
        cuts.empty() ? step.bytes.end : *std::lower_bound(cuts.begin(), cuts.end(), step.bytes.end);
    if (end > begin)
      parts.push_back({std::string_view(trace.response)
                           .substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
                       step.weight});
    begin = std::max(begin, end);
  }
  return parts;
}

bool trains(const ScoredStep& step, const ScoredTrace& trace, const ExportContext& context) {
  require_all_steps(trace);
  constexpr double kRounding = 1e-9;
  double best = 0;
  for (const ScoredStep& other : trace.steps) best = std::max(best, other.weight);
  return step.weight >= std::min(context.train_above, best) - kRounding;
}

void require_all_steps(const ScoredTrace& trace) {
  if (trace.truncated)
    throw Error(ErrorKind::kInput, "",
                "the trace was scored in part (\"truncated\"): steps beyond the cut have no weight",
                "--exclude-truncated leaves such traces out; formats without weights take them");
}

void require_same_tokens(const ScoredTrace& scored, const Trace& trace) {
  int64_t token = trace.response_begin;
  for (const ScoredStep& step : scored.steps) {
    const int64_t first = token;
    while (token < trace.num_tokens() &&
           trace.begin[static_cast<size_t>(token)] - trace.response_byte < step.bytes.end)
      ++token;
    if (token - first != step.num_tokens)
      throw Error(ErrorKind::kInput, "",
                  "a step of " + std::to_string(step.num_tokens) + " scored tokens has " +
                      std::to_string(token - first) + " here",
                  "--tokenizer must be the folder of the model that scored, --chat-template the "
                  "one that air score was given");
  }
}

void write_float(JsonWriter& json, double value) {
  char digits[32];
  const auto result = std::to_chars(digits, digits + sizeof digits, static_cast<float>(value));
  std::string text(digits, result.ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  json.raw(text);
}

void write_message_fields(JsonWriter& json, std::string_view role, std::string_view content) {
  json.member("role", role).member("content", content);
}

void write_message(JsonWriter& json, std::string_view role, std::string_view content) {
  json.begin_object();
  write_message_fields(json, role, content);
  json.end_object();
}

void write_context(JsonWriter& json, const ScoredTrace& trace, std::string_view key_of_assistant,
                   std::string_view value) {
  for (const ChatMessage& message : trace.messages) {
    json.begin_object();
    write_message_fields(json, message.role, message.content);
    if (message.role == "assistant" && !key_of_assistant.empty())
      json.key(key_of_assistant).raw(value);
    json.end_object();
  }
}

int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char byte) { return !is_continuation_byte(byte); });
}

}  // namespace air
