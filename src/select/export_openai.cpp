// OpenAI chat messages, which most fine-tuning services read; see docs/trainers/openai.md.
#include "select/export_writing.h"

namespace air {

namespace {

void append(std::string& out, const ScoredTrace& trace, const ExportContext&) {
  out += "{\"messages\":[";
  append_context(out, trace, ",\"weight\":0");
  out += '{';
  append_message_fields(out, "assistant", trace.response);
  out += "}]}";
}

}  // namespace

const ExportFormat kOpenAiFormat{"openai", "messages, without step weights", false, append};

}  // namespace air
