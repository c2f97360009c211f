// Axolotl: the response as one message, with the steps that train in `train_detail`; see
// docs/trainers/axolotl.md.
#include "select/export_writing.h"

namespace air {

namespace {

/// Offsets count characters, and the last one belongs to the span.
void append_detail(std::string& out, int64_t begin, int64_t end, bool train) {
  out += "{\"begin_offset\":";
  append_number(out, begin);
  out += ",\"end_offset\":";
  append_number(out, end - 1);
  out += train ? ",\"train\":true}" : ",\"train\":false}";
}

void append(std::string& out, const ScoredTrace& trace, const ExportContext& context) {
  out += "{\"messages\":[";
  append_context(out, trace, ",\"train\":false");
  out += '{';
  append_message_fields(out, "assistant", trace.response);
  out += ",\"train_detail\":[";
  int64_t begin = 0;
  for (const ScoredStep& step : trace.steps) {
    const int64_t end = begin + count_characters(step.text(trace.response));
    if (begin > 0) out += ',';
    append_detail(out, begin, end, trains(step, trace, context));
    begin = end;
  }
  out += "]}]}";
}

}  // namespace

const ExportFormat kAxolotlFormat{"axolotl", "messages, the steps that train in train_detail",
                                  false, append};

}  // namespace air
