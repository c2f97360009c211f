// OpenWeights: content blocks, each with its weight; see docs/trainers/openweights.md.
#include "select/export_writing.h"

namespace air {

namespace {

void append_block(std::string& out, std::string_view text, double weight) {
  out += "{\"type\":\"text\",\"text\":";
  append_string(out, text);
  out += ",\"weight\":";
  append_float(out, weight);
  out += '}';
}

void append(std::string& out, const ScoredTrace& trace, const ExportContext& context) {
  out += "{\"messages\":[";
  for (const ChatMessage& message : trace.messages) {
    out += "{\"role\":";
    append_string(out, message.role);
    out += ",\"content\":[";
    append_block(out, message.content, 0);
    out += "]},";
  }
  out += "{\"role\":\"assistant\",\"content\":[";
  bool first = true;
  for (const WeightedPart& part : weighted_parts(trace, context)) {
    if (!first) out += ',';
    first = false;
    append_block(out, part.text, part.weight);
  }
  out += "]}]}";
}

}  // namespace

const ExportFormat kOpenWeightsFormat{"openweights", "messages of content blocks, a weight each",
                                      false, append};

}  // namespace air
