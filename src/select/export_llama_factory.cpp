// LLaMA-Factory: messages for the classic engine, typed blocks with `loss_weight` for v1; see
// docs/trainers/llama-factory.md.
#include "select/export_writing.h"

namespace air {

namespace {

void append_classic(std::string& out, const ScoredTrace& trace, const ExportContext&) {
  out += "{\"messages\":[";
  append_context(out, trace);
  out += '{';
  append_message_fields(out, "assistant", trace.response);
  out += "}]}";
}

void append_typed(std::string& out, std::string_view role, std::string_view text, double weight) {
  out += "{\"role\":";
  append_string(out, role);
  out += ",\"content\":[{\"type\":\"text\",\"value\":";
  append_string(out, text);
  out += "}],\"loss_weight\":";
  append_float(out, weight);
  out += '}';
}

void append_v1(std::string& out, const ScoredTrace& trace, const ExportContext&) {
  out += "{\"messages\":[";
  for (const ChatMessage& message : trace.messages) {
    append_typed(out, message.role, message.content, 0);
    out += ',';
  }
  append_typed(out, "assistant", trace.response, 1);
  out += "]}";
}

}  // namespace

const ExportFormat kLlamaFactoryFormat{
    "llama-factory", "messages of the classic engine, without weights", false, append_classic};
const ExportFormat kLlamaFactoryV1Format{
    "llama-factory-v1", "messages of the v1 engine, context turns at weight 0", false, append_v1};

}  // namespace air
