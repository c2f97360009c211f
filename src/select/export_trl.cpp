// TRL: prompt and completion for SFTTrainer, stepwise supervision for PRMTrainer; see
// docs/trainers/trl.md.
#include "select/export_writing.h"

namespace air {

namespace {

void append_prompt_completion(std::string& out, const ScoredTrace& trace, const ExportContext&) {
  if (trace.messages.empty()) {
    out += "{\"text\":";
    append_string(out, trace.response);
    out += '}';
    return;
  }
  out += "{\"prompt\":[";
  append_context(out, trace);
  out.back() = ']';
  out += ",\"completion\":[{";
  append_message_fields(out, "assistant", trace.response);
  out += "}]}";
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

void append_stepwise(std::string& out, const ScoredTrace& trace, const ExportContext& context) {
  out += "{\"prompt\":";
  append_string(out, prompt_text(trace));
  out += ",\"completions\":[";
  for (const ScoredStep& step : trace.steps) {
    if (&step != &trace.steps.front()) out += ',';
    append_string(out, without_separator(step.text(trace.response)));
  }
  out += "],\"labels\":[";
  for (const ScoredStep& step : trace.steps) {
    if (&step != &trace.steps.front()) out += ',';
    out += trains(step, trace, context) ? "true" : "false";
  }
  out += "]}";
}

}  // namespace

const ExportFormat kTrlFormat{"trl", "prompt and completion, for SFTTrainer", false,
                              append_prompt_completion};
const ExportFormat kTrlStepwiseFormat{
    "trl-stepwise", "prompt, completions and labels, for PRMTrainer", false, append_stepwise};

}  // namespace air
