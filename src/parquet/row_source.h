// The rows of a Parquet file as lines of JSON.
#pragma once

#include <memory>
#include <string>

#include "base/byte_source.h"

namespace air {

/// Reads row group by row group, a few rows at a time: memory does not grow with the file.
/// @throws Error(kInput) for what is not Parquet, is broken or cut off, or has columns without a
/// form in JSON.
std::unique_ptr<ByteSource> open_parquet_rows(const std::string& path, const std::string& name);

}  // namespace air
