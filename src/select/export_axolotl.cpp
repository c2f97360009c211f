// Axolotl: the response as one message, with the steps that train in `train_detail`; see
// docs/trainers/axolotl.md.
#include "select/export_writing.h"

namespace air {

namespace {

void write(JsonWriter& json, const ScoredTrace& trace, const ExportContext& context) {
  json.begin_object().key("messages").begin_list();
  write_context(json, trace, "train", "false");
  json.begin_object();
  write_message_fields(json, "assistant", trace.response);
  json.key("train_detail").begin_list();
  int64_t begin = 0;
  for (const ScoredStep& step : trace.steps) {
    const int64_t end = begin + count_characters(step.text(trace.response));
    // Offsets count characters, and the last one belongs to the span.
    json.begin_object().member("begin_offset", begin).member("end_offset", end - 1);
    json.member("train", trains(step, trace, context)).end_object();
    begin = end;
  }
  json.end_list().end_object();
  json.end_list().end_object();
}

}  // namespace

const ExportFormat kAxolotlFormat{"axolotl", "messages, the steps that train in train_detail",
                                  false, write};

}  // namespace air
