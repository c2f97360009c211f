// What appears after a dot or in brackets: entries, elements, and the methods that the sandbox
// allows.
#pragma once

#include <functional>

#include "text/jinja/library.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

/// `value.name`: a method or attribute, then an entry; undefined when there is neither.
/// @param name  a string. @param methods  find_methods() of it
Value get_attribute(Runtime& runtime, const Value& value, const Value& name,
                    const Methods* methods);

/// `value[key]`: an entry or element, then an attribute; undefined when there is neither.
/// @param methods  find_methods() of the key, when it is a string
Value get_item(Runtime& runtime, const Value& value, const Value& key, const Methods* methods);
Value get_item(Runtime& runtime, const Value& value, const Value& key);

/// The method of that name that the value has, so that a call needs no bound method; null when it
/// has none. @throws RenderError for one that Python has and air lacks.
const Native* method_of(const Value& value, const Value& name, const Methods* methods);

/// A function of a value: what `attribute=` and the like name.
using Getter = std::function<Value(const Value&)>;

/// "a.b.0": keys and, where they are digits, positions. @param otherwise  in place of what is
/// undefined
Getter attribute_getter(Runtime& runtime, const Value& attribute, const Value& otherwise = Value());

}  // namespace air::jinja
