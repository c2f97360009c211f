// A record's JSON as a chat template sees it.
#pragma once

#include <string>

#include "data/record_value.h"
#include "text/jinja/value.h"

namespace air {

/// @throws Error(kInput) at `where` for what has no place there: half a surrogate pair, an integer
///   beyond 64 bits.
jinja::Value template_value(const RecordValue& value, const std::string& where);

}  // namespace air
