#include "data/record_shape.h"

namespace air {

namespace {

bool fits(const RecordView& record) { return record.has("problem") && record.has("generations"); }

/// Open-R1: one trace a generation.
std::vector<TraceRecord> read(const RecordView& record, const RecordFields&) {
  std::vector<TraceRecord> traces;
  for (const RecordValue& generation : record.list("generations").items) {
    traces.push_back(
        single_turn(record.text("problem"), record.string_of(generation, "generations")));
  }
  if (traces.empty()) record.fail("generations", "is an empty list");
  return traces;
}

}  // namespace

const RecordShape kGenerationsShape{"problem+generations", fits, read};

}  // namespace air
