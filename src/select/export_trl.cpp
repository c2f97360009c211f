// TRL: prompt and completion for SFTTrainer, stepwise supervision for PRMTrainer; see
// docs/trainers/trl.md.
#include "select/export_writing.h"

namespace air {

namespace {

void write_prompt_completion(JsonWriter& json, const ScoredTrace& trace, const ExportContext&) {
  if (trace.messages.empty()) {
    json.begin_object().member("text", trace.response).end_object();
    return;
  }
  json.begin_object().key("prompt").begin_list();
  write_context(json, trace);
  json.end_list().key("completion").begin_list();
  write_message(json, "assistant", trace.response);
  json.end_list().end_object();
}

/// The trainer puts its own separator between the steps.
std::string_view without_separator(std::string_view step) {
  const size_t last = step.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? step : step.substr(0, last + 1);
}

std::string prompt_text(const ScoredTrace& trace) {
  std::string text;
  for (const ChatMessage& message : trace.messages)
    text += (text.empty() ? "" : "\n\n") + message.content;
  return text;
}

void write_stepwise(JsonWriter& json, const ScoredTrace& trace, const ExportContext& context) {
  json.begin_object().member("prompt", prompt_text(trace));
  json.key("completions").begin_list();
  for (const ScoredStep& step : trace.steps)
    json.value(without_separator(step.text(trace.response)));
  json.end_list().key("labels").begin_list();
  for (const ScoredStep& step : trace.steps) json.value(trains(step, trace, context));
  json.end_list().end_object();
}

}  // namespace

const ExportFormat kTrlFormat{"trl",
                              "prompt and completion, for SFTTrainer",
                              false,
                              write_prompt_completion,
                              /*cuts_steps=*/false,
                              /*is_of_one_kind=*/true};
const ExportFormat kTrlStepwiseFormat{
    "trl-stepwise", "prompt, completions and labels, for PRMTrainer", false, write_stepwise};

}  // namespace air
