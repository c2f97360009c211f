// Packed bytes as a source of what they hold.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/byte_source.h"

namespace air {

/// What a source holds when it is gzip, zstd, bzip2 or xz, as its first bytes say; else the source
/// itself. Members, frames and streams that follow one another are one text.
/// @param head the source's first bytes, six where it has as many; they are read again.
/// @param name for messages.
std::unique_ptr<ByteSource> unpack(std::unique_ptr<ByteSource> source, std::string_view head,
                                   const std::string& name);

}  // namespace air
