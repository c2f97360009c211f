#include <array>

#include "data/record_shape.h"

namespace air {

namespace {

constexpr std::array<std::string_view, 2> kResponses{"solution", "answer"};

bool fits(const RecordView& record) {
  return record.has("question") && !record.first_of(kResponses).empty();
}

std::vector<TraceRecord> read(const RecordView& record, const RecordFields&) {
  return {single_turn(record.text("question"), record.text(record.first_of(kResponses)))};
}

}  // namespace

const RecordShape kQuestionSolutionShape{"question+solution", fits, read};

}  // namespace air
