// JSON as the values of a template: what `--chat-template-kwargs` gives.
#pragma once

#include "base/json.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// @throws RenderError for an integer beyond 64 bits and for more levels than the budget has.
Value from_json(Budget& budget, const Json& json);

}  // namespace air::jinja
