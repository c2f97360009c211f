#include "data/record_shape.h"

namespace air {

namespace {

bool fits(const RecordView& record) { return record.has("instruction") && record.has("output"); }

/// Alpaca: an input that is not empty stands under the instruction.
std::vector<TraceRecord> read(const RecordView& record, const RecordFields&) {
  std::string prompt = record.text("instruction");
  if (record.has("input") && !record.text("input").empty()) prompt += "\n" + record.text("input");
  return {single_turn(std::move(prompt), record.text("output"))};
}

}  // namespace

const RecordShape kInstructionShape{"instruction+output", fits, read};

}  // namespace air
