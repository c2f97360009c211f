// ms-swift: one assistant message a step, each with its `loss_scale`; see
// docs/trainers/ms-swift.md.
#include "select/export_writing.h"

namespace air {

namespace {

void write(JsonWriter& json, const ScoredTrace& trace, const ExportContext& context) {
  json.begin_object().key("messages").begin_list();
  write_context(json, trace, "loss_scale", "0.0");
  for (const WeightedPart& part : weighted_parts(trace, context)) {
    json.begin_object();
    write_message_fields(json, "assistant", part.text);
    write_float(json.key("loss_scale"), part.weight);
    json.end_object();
  }
  json.end_list().end_object();
}

}  // namespace

const ExportFormat kMsSwiftFormat{
    "ms-swift",
    "messages, one assistant message a step, with loss_scale",
    false,
    write,
    /*cuts_steps=*/true,
    /*is_of_one_kind=*/false,
    "swift sft needs --is_binary_loss_scale false; without it, weights other than 0 and 1 are not "
    "used"};

}  // namespace air
