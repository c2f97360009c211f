// The shapes of records that are recognised without a flag.
#pragma once

#include <vector>

#include "data/record_view.h"
#include "data/trace_record.h"

namespace air {

/// One way in which datasets write traces.
struct RecordShape {
  const char* name;
  /// True when the record has this shape's fields.
  bool (*fits)(const RecordView& record);
  /// Reads them. @throws Error(kInput).
  std::vector<TraceRecord> (*read)(const RecordView& record, const RecordFields& fields);
};

/// The first shape, in the order in which they are tried, that the record fits; null: none.
const RecordShape* find_shape(const RecordView& record);

}  // namespace air
