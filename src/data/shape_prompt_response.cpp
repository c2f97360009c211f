#include <array>

#include "data/record_shape.h"

namespace air {

namespace {

constexpr std::array<std::string_view, 3> kResponses{"response", "completion", "output"};

bool fits(const RecordView& record) {
  return record.has("prompt") && !record.first_of(kResponses).empty();
}

std::vector<TraceRecord> read(const RecordView& record, const RecordFields&) {
  return {single_turn(record.text("prompt"), record.text(record.first_of(kResponses)))};
}

}  // namespace

const RecordShape kPromptResponseShape{"prompt+response", fits, read};

}  // namespace air
