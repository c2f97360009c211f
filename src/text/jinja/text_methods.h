// The methods of str.
#pragma once

#include <string_view>
#include <unordered_map>

#include "text/jinja/value.h"

namespace air::jinja {

/// By name; null stands for one that Python has and air has not.
const std::unordered_map<std::string_view, Native>& text_methods();

/// str.replace(). @param most  how many at most; −1: all
std::string replace(Runtime& runtime, std::string_view text, std::string_view old,
                    std::string_view with, int64_t most);

}  // namespace air::jinja
