// UTF-8 at the level of bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace air {

/// Byte position of the first byte that is not valid UTF-8 (overlong forms, surrogates, > U+10FFFF included); none when all is valid.
std::optional<int64_t> first_invalid_utf8(std::string_view text);

}  // namespace air
