#include "data/record_shape.h"

namespace air {

namespace {

bool fits(const RecordView& record) { return record.has("conversations"); }

/// ShareGPT and OpenThoughts; a `system` field beside the list is the system message.
std::vector<TraceRecord> read(const RecordView& record, const RecordFields& fields) {
  std::vector<TraceRecord> traces =
      read_conversation(record, "conversations", "from", "value", fields);
  if (!record.has("system") || record.text("system").empty()) return traces;
  for (TraceRecord& trace : traces)
    if (trace.messages.empty() || trace.messages.front().role != "system")
      trace.messages.insert(trace.messages.begin(), {"system", record.text("system"), ""});
  return traces;
}

}  // namespace

const RecordShape kConversationsShape{"conversations", fits, read};

}  // namespace air
