#include "data/record_shape.h"

namespace air {

namespace {

bool fits(const RecordView& record) { return record.has("text"); }

/// A document: no conversation, all of it is scored.
std::vector<TraceRecord> read(const RecordView& record, const RecordFields&) {
  TraceRecord trace;
  trace.response = record.text("text");
  return {trace};
}

}  // namespace

const RecordShape kTextShape{"text", fits, read};

}  // namespace air
