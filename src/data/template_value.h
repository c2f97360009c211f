// A record's JSON as a chat template sees it.
#pragma once

#include "data/record_value.h"
#include "text/jinja/value.h"

namespace air {

/// @throws Error(kInput) that names no place, for what has none there: half a surrogate pair, an
///   integer beyond 64 bits.
jinja::Value template_value(const RecordValue& value);

}  // namespace air
