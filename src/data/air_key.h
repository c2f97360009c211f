// Taking the key `air` out of a record without touching any other byte.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// The record's bytes without its key `air` (and the comma that parts it from its neighbour).
/// @param line an object that parse_record accepted.
std::string without_air(std::string_view line);

}  // namespace air
