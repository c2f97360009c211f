// The shapes of records that are recognised without a flag.
#pragma once

#include <string>
#include <vector>

#include "data/conversation.h"
#include "data/record_view.h"

namespace air {

/// One way in which datasets write traces.
struct RecordShape {
  const char* name;
  /// True when the record has this shape's fields.
  bool (*fits)(const RecordView& record);
  /// Reads them. @param turns as for --turns.   @throws Error(kInput).
  ReadTraces (*read)(const RecordView& record, const std::string& turns);
  /// True when thinking may lie in a column of its own, beside the response.
  bool has_columns;
};

/// The first shape, in the order in which they are tried, that the record fits; null: none.
const RecordShape* find_shape(const RecordView& record);

/// The shapes after `shape` that the record fits too and that hold a conversation.
std::vector<const RecordShape*> other_shapes(const RecordView& record, const RecordShape& shape);

}  // namespace air
