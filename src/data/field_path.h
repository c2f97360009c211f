// A field of a record, by its name or by a path that leads into objects: "meta.domain".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "data/record_value.h"

namespace air {

/// The record's field of that very name; without one, where the path leads; null: neither is there.
/// @throws Error(kInput) when a key on the way appears twice.
const RecordValue* find_field(const RecordValue& record, std::string_view path);

/// What a record's field says: the characters of a string, anything else as it is written.
/// @param line that the value was parsed from.
std::string text_of(const RecordValue& value, std::string_view line);

}  // namespace air
