#include "data/record_output.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/line_reader.h"
#include "base/parquet_library.h"
#include "base/strings.h"
#include "base/unnamed_file.h"
#include "data/column_type.h"
#include "data/record_value.h"

namespace air {

namespace {

bool writes_table(const std::string& path) {
  return is_parquet_name(path) && !is_special_file(path);
}

/// A folder for what a file takes before it is whole.
std::string folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

using Visit = std::function<void(const RecordValue& record, std::string_view line)>;

/// The lines of a file from its start. Errors that name no place are given the line's.
void each_line(int fd, const std::string& name, const Visit& visit) {
  if (::lseek(fd, 0, SEEK_SET) < 0)
    throw Error(ErrorKind::kResource, "temporary file", "can't be read again");
  LineReader reader("/dev/fd/" + std::to_string(fd));
  std::string_view line;
  while (reader.next(line))
    in_context(name + ":row " + std::to_string(reader.line_number()),
               [&] { visit(parse_record_line(line), line); });
}

}  // namespace

RecordOutput::RecordOutput(const std::string& path)
    : path_(path),
      file_(path),
      lines_(writes_table(path) ? open_unnamed_file(folder_of(path)) : -1) {
  if (lines_ >= 0) spool_ = std::make_unique<Spool>(lines_);
}

RecordOutput::~RecordOutput() {
  if (lines_ >= 0) ::close(lines_);
}

void RecordOutput::write(std::string_view line) {
  if (!spool_) return file_.write(line);
  is_empty_ = is_empty_ && line.empty();
  spool_->write(line);
}

void RecordOutput::write_table() {
  spool_->flush();
  ColumnType columns;
  columns.kind = ColumnType::Kind::kStruct;
  each_line(lines_, path_,
            [&](const RecordValue& record, std::string_view) { columns.add(record); });
  for (ColumnMember& column : columns.members) column.type.settle();
  if (const auto texts = columns.json_paths(); !texts.empty())
    spdlog::warn(
        "{}: values of several kinds, or such as no table has, are written as JSON texts: {}",
        path_, join(texts, ", "));
  const auto writer =
      parquet_library().open_writer(columns, [&](std::string_view bytes) { file_.write(bytes); });
  each_line(lines_, path_, [&](const RecordValue& record, std::string_view line) {
    writer->append(record, line);
  });
  writer->finish();
}

void RecordOutput::commit() {
  std::error_code none;
  const auto older = std::filesystem::file_size(path_, none);
  const bool keeps_older = is_empty_ && !none && older > 0;
  if (spool_ && !keeps_older) in_context(path_, [&] { write_table(); });
  file_.commit();
}

}  // namespace air
