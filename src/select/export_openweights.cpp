// OpenWeights: content blocks, each with its weight; see docs/trainers/openweights.md.
#include "select/export_writing.h"

namespace air {

namespace {

void write_block(JsonWriter& json, std::string_view text, double weight) {
  json.begin_object().member("type", "text").member("text", text);
  write_float(json.key("weight"), weight);
  json.end_object();
}

void write(JsonWriter& json, const ScoredTrace& trace, const ExportContext& context) {
  json.begin_object().key("messages").begin_list();
  for (const ChatMessage& message : trace.messages) {
    json.begin_object().member("role", message.role).key("content").begin_list();
    write_block(json, message.content, 0);
    json.end_list().end_object();
  }
  json.begin_object().member("role", "assistant").key("content").begin_list();
  for (const WeightedPart& part : weighted_parts(trace, context))
    write_block(json, part.text, part.weight);
  json.end_list().end_object();
  json.end_list().end_object();
}

}  // namespace

const ExportFormat kOpenWeightsFormat{"openweights", "messages of content blocks, a weight each",
                                      false, write, /*cuts_steps=*/true};

}  // namespace air
