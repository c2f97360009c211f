// ms-swift: one assistant message a step, each with its `loss_scale`; see
// docs/trainers/ms-swift.md.
#include "select/export_writing.h"

namespace air {

namespace {

void append(std::string& out, const ScoredTrace& trace, const ExportContext& context) {
  out += "{\"messages\":[";
  append_context(out, trace, ",\"loss_scale\":0.0");
  bool first = true;
  for (const WeightedPart& part : weighted_parts(trace, context)) {
    out += first ? "{" : ",{";
    first = false;
    append_message_fields(out, "assistant", part.text);
    out += ",\"loss_scale\":";
    append_float(out, part.weight);
    out += '}';
  }
  out += "]}";
}

}  // namespace

const ExportFormat kMsSwiftFormat{
    "ms-swift", "messages, one assistant message a step, with loss_scale", false, append};

}  // namespace air
