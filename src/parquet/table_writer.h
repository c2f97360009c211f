// Records as the rows of a Parquet file.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "base/parquet_library.h"
#include "data/column_type.h"

namespace air {

/// Writes a row group at a time, compressed by zstd.
/// @param columns see column_type.h.   @param sink takes the file's bytes in order.
std::unique_ptr<ParquetWriter> open_parquet_writer(
    const ColumnType& columns, const std::function<void(std::string_view bytes)>& sink);

}  // namespace air
