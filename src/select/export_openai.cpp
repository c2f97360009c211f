// OpenAI chat messages, which most fine-tuning services read; see docs/trainers/openai.md.
#include "select/export_writing.h"

namespace air {

namespace {

void write(JsonWriter& json, const ScoredTrace& trace, const ExportContext&) {
  json.begin_object().key("messages").begin_list();
  write_context(json, trace, "weight", "0");
  write_message(json, "assistant", trace.response);
  json.end_list().end_object();
}

}  // namespace

const ExportFormat kOpenAiFormat{"openai", "messages, without step weights", false, write};

}  // namespace air
