// What a user should know of how a record was read: what was left out, and what fits as well.
#pragma once

#include <string>
#include <vector>

#include "data/conversation.h"
#include "data/record_shapes.h"
#include "data/record_view.h"

namespace air {

/// Columns of thinking, system texts, history and tools that the traces were not read from, unless
/// what they say is part of the traces.
std::vector<std::string> notes_of_left_out(const RecordView& record, const ReadTraces& read);

/// Other shapes that the record fits, whose response is another text.
std::vector<std::string> notes_of_other_shapes(const RecordView& record, const RecordShape& shape,
                                               const ReadTraces& read, const std::string& turns);

}  // namespace air
