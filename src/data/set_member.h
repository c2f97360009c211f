// One member of a record set anew, without touching any other byte.
#pragma once

#include <string>
#include <string_view>

namespace air {

/// The record's bytes with the member as its last one, before the closing brace. An earlier member
/// of that name is taken out, with the comma that parts it from its neighbour.
/// @param line an object that parse_record accepted.   @param json the value.
std::string set_member(std::string_view line, std::string_view name, std::string_view json);

}  // namespace air
