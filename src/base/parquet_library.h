// Parquet, by a library beside the program that is loaded when a Parquet file is read or written.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/byte_source.h"

namespace air {

struct ColumnType;
struct RecordValue;

/// A Parquet file that grows row by row.
class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  /// @param record a row that the columns were made for.   @param line that it was parsed from.
  virtual void append(const RecordValue& record, std::string_view line) = 0;
  /// Writes what is left and the file's end.
  virtual void finish() = 0;
};

/// What the library can do (src/parquet). It throws Error(kInput) for files, Error(kResource) for
/// memory. Program and library come out of one build.
struct ParquetLibrary {
  /// The rows of a file as lines of JSON, in bounded memory.
  /// @param path that can be read at any place.   @param name for messages.
  std::unique_ptr<ByteSource> (*open_rows)(const std::string& path, const std::string& name);
  /// @param columns a struct: the columns of the rows.   @param sink takes the file's bytes in
  /// order.
  std::unique_ptr<ParquetWriter> (*open_writer)(
      const ColumnType& columns, const std::function<void(std::string_view bytes)>& sink);
};

/// The name of the one function that the library shows; it returns a const ParquetLibrary*.
inline constexpr const char* kParquetEntry = "air_parquet_library";

/// Loads the library and the pyarrow that it needs, once.
/// @throws Error(kResource) that says what to install when one of them is not there.
const ParquetLibrary& parquet_library();

/// Whether a file's name asks for Parquet: it ends in ".parquet".
bool is_parquet_name(std::string_view path);

}  // namespace air
