// Python's two ways of formatting: `"%s" % x` and `"{}".format(x)`.
#pragma once

#include <string>
#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// `format % argument`. @throws RenderError where Python does.
Value percent_format(Runtime& runtime, const Value& format, const Value& argument);

/// `format.format(…)`, whose fields are looked up as the sandbox does.
Value brace_format(Runtime& runtime, const Value& format, const Arguments& arguments);

}  // namespace air::jinja
