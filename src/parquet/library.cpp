// The one function that the program looks for in this library.
#include "base/parquet_library.h"
#include "parquet/row_source.h"
#include "parquet/table_writer.h"

extern "C" __attribute__((visibility("default"))) const air::ParquetLibrary* air_parquet_library() {
  static const air::ParquetLibrary library{&air::open_parquet_rows, &air::open_parquet_writer};
  return &library;
}
