// The filters, tests and functions that a template may name.
#pragma once

#include <string_view>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

struct Filter {
  Native apply;
};

struct Test {
  bool (*holds)(Runtime& runtime, const Value& subject, const Arguments& arguments);
};

/// Null when there is none of the name. One that jinja2 has and air has not fails when it is
/// applied.
const Filter* find_filter(std::string_view name);
const Test* find_test(std::string_view name);

/// range, dict, namespace, raise_exception, strftime_now; undefined when there is none of the name.
Value find_global(std::string_view name);

}  // namespace air::jinja
