#include "data/record_shape.h"

namespace air {

namespace {

bool fits(const RecordView& record) { return record.has("messages"); }

std::vector<TraceRecord> read(const RecordView& record, const RecordFields& fields) {
  return read_conversation(record, "messages", "role", "content", fields);
}

}  // namespace

const RecordShape kMessagesShape{"messages", fits, read};

}  // namespace air
