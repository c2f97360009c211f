#include "data/record_shape.h"

namespace air {

namespace {

bool fits(const RecordView& record) {
  return record.has("question") && record.has("thinking_trajectories") && record.has("attempt");
}

/// s1K: one trace a trajectory; the answer `attempt` follows each.
std::vector<TraceRecord> read(const RecordView& record, const RecordFields&) {
  std::vector<TraceRecord> traces;
  for (const RecordValue& trajectory : record.list("thinking_trajectories").items) {
    traces.push_back(single_turn(record.text("question"), record.text("attempt")));
    traces.back().reasoning = record.string_of(trajectory, "thinking_trajectories");
  }
  if (traces.empty()) record.fail("thinking_trajectories", "is an empty list");
  return traces;
}

}  // namespace

const RecordShape kThinkingShape{"question+thinking_trajectories+attempt", fits, read};

}  // namespace air
