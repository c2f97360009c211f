// LLaMA-Factory: messages for the classic engine, typed blocks with `loss_weight` for v1; see
// docs/trainers/llama-factory.md.
#include "select/export_writing.h"

namespace air {

namespace {

void write_classic(JsonWriter& json, const ScoredTrace& trace, const ExportContext&) {
  json.begin_object().key("messages").begin_list();
  write_context(json, trace);
  write_message(json, "assistant", trace.response);
  json.end_list().end_object();
}

void write_typed(JsonWriter& json, std::string_view role, std::string_view text, double weight) {
  json.begin_object().member("role", role).key("content").begin_list();
  json.begin_object().member("type", "text").member("value", text).end_object();
  json.end_list();
  write_float(json.key("loss_weight"), weight);
  json.end_object();
}

void write_v1(JsonWriter& json, const ScoredTrace& trace, const ExportContext&) {
  json.begin_object().key("messages").begin_list();
  for (const ChatMessage& message : trace.messages)
    write_typed(json, message.role, message.content, 0);
  write_typed(json, "assistant", trace.response, 1);
  json.end_list().end_object();
}

}  // namespace

const ExportFormat kLlamaFactoryFormat{
    "llama-factory", "messages of the classic engine, without weights", false, write_classic};
const ExportFormat kLlamaFactoryV1Format{
    "llama-factory-v1", "messages of the v1 engine, context turns at weight 0", false, write_v1};

}  // namespace air
