// What filters share: getters of attributes, keys to sort by, and the tables that they stand in.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/jinja/library.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace air::jinja {

using FilterTable = std::unordered_map<std::string_view, Filter>;

// Each adds the filters of its source file.
void add_text_filters(FilterTable& table);
void add_number_filters(FilterTable& table);
void add_collection_filters(FilterTable& table);
void add_choosing_filters(FilterTable& table);

/// A function of a value: what `attribute=` and the like name.
using Getter = std::function<Value(const Value&)>;

/// The text in lower case; any other value as it is.
Value ignore_case(Runtime& runtime, const Value& value);

/// "a.b.0": keys and, where they are digits, positions. @param otherwise  in place of what is
/// undefined
Getter attribute_getter(Runtime& runtime, const Value& attribute, const Value& otherwise = Value());

/// What `sort`, `unique`, `min`, … compare: the item or its attribute, in lower case unless case
/// counts.
Getter key_getter(Runtime& runtime, const Value* attribute, bool case_sensitive);

/// Sorts by keys, each computed once, as Python's sorted().
std::vector<Value> sorted_by(Runtime& runtime, const std::vector<Value>& items, const Getter& key,
                             bool reverse);

/// @throws RenderError when it is not a string.
const std::string& string_of(const Value& value);

/// A text that is markup when the subject is.
Value made(Runtime& runtime, const Value& subject, std::string text);

}  // namespace air::jinja
