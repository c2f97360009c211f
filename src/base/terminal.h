// The terminal that a stream may be.
#pragma once

#include <cstddef>
#include <optional>

namespace air {

/// Its width in columns; none: the stream is no terminal, or one that does not know.
std::optional<size_t> terminal_columns(int fd);

}  // namespace air
