// Any bytes as a Parquet file: its rows come as lines, or it is an Error(kInput). Any bytes as
// lines of JSON: what are records become a table that is read back with as many rows.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/parquet_library.h"
#include "data/column_type.h"
#include "data/record_value.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/memory_file.h"

namespace {

std::string rows_of(const MemoryFile& file) {
  constexpr size_t kMost = 1 << 24;  // a small file may say that it has very many rows
  const auto rows = air::parquet_library().open_rows(file.path(), "x.parquet");
  std::string text, piece(1 << 16, '\0');
  while (const size_t count = rows->read(piece.data(), piece.size())) {
    text.append(piece, 0, count);
    if (text.size() > kMost) break;
  }
  return text;
}

void read_as_parquet(std::string_view bytes) {
  MemoryFile file;
  file.write(bytes);
  try {
    rows_of(file);
  } catch (const air::Error& e) {
    FUZZ_CHECK(e.kind() == air::ErrorKind::kInput || e.kind() == air::ErrorKind::kResource);
  }
}

void write_and_read(std::string_view bytes) {
  std::vector<std::string> lines;
  std::vector<air::RecordValue> records;
  air::ColumnType columns;
  columns.kind = air::ColumnType::Kind::kStruct;
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    try {
      const std::string line(bytes.substr(begin, end - begin));
      air::RecordValue record = air::parse_record_line(line);
      columns.add(record);
      lines.push_back(line);
      records.push_back(std::move(record));
    } catch (const air::Error& e) {
      FUZZ_CHECK(e.kind() == air::ErrorKind::kInput);
    }
    begin = end + 1;
  }
  for (air::ColumnMember& column : columns.members) column.type.settle();
  MemoryFile file;
  const auto writer =
      air::parquet_library().open_writer(columns, [&](std::string_view part) { file.write(part); });
  for (size_t i = 0; i < records.size(); ++i) writer->append(records[i], lines[i]);
  writer->finish();
  const std::string rows = rows_of(file);
  FUZZ_CHECK(columns.members.empty() ||
             std::count(rows.begin(), rows.end(), '\n') == static_cast<int64_t>(lines.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with("PAR1"))
    read_as_parquet(bytes);
  else
    write_and_read(bytes);
  return 0;
}
