// What stands after a dot or in brackets: entries, elements, and the methods that the sandbox
// allows.
#pragma once

#include <string>

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// `value.name`: a method or attribute, then an entry; undefined when there is neither.
Value get_attribute(Runtime& runtime, const Value& value, const std::string& name);

/// `value[key]`: an entry or element, then an attribute; undefined when there is neither.
Value get_item(Runtime& runtime, const Value& value, const Value& key);

/// The method that `value.name` is, so that a call needs no bound method; null when it is none.
Native find_method(const Value& value, const std::string& name);

}  // namespace air::jinja
