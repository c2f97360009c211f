#include "parquet/table_writer.h"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <charconv>
#include <utility>
#include <vector>

#include "data/record_value.h"
#include "parquet/arrow_status.h"

namespace air {

namespace {

using Kind = ColumnType::Kind;

constexpr size_t kRowGroupBytes = 64 << 20;  // of lines

void checked(const arrow::Status& status) { check(status, ErrorKind::kResource, ""); }

std::shared_ptr<arrow::DataType> arrow_type(const ColumnType& type) {
  switch (type.kind) {
    case Kind::kNull:
      return arrow::null();
    case Kind::kBool:
      return arrow::boolean();
    case Kind::kInt64:
      return arrow::int64();
    case Kind::kUint64:
      return arrow::uint64();
    case Kind::kDouble:
      return arrow::float64();
    case Kind::kString:
    case Kind::kJson:
      return arrow::utf8();
    case Kind::kList:
      return arrow::list(type.items.empty() ? arrow::null() : arrow_type(type.items.front()));
    case Kind::kStruct:
      break;
  }
  arrow::FieldVector fields;
  for (const ColumnMember& member : type.members)
    fields.push_back(arrow::field(member.name, arrow_type(member.type)));
  return arrow::struct_(fields);
}

/// Arrow's stream in front of our file. What the file throws must not pass through Arrow's code: it
/// is kept, and thrown again by rethrow().
class SinkStream : public arrow::io::OutputStream {
 public:
  explicit SinkStream(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {
    set_mode(arrow::io::FileMode::WRITE);
  }
  arrow::Status Write(const void* data, int64_t size) override {
    try {
      sink_({static_cast<const char*>(data), static_cast<size_t>(size)});
    } catch (...) {
      thrown_ = std::current_exception();
      return arrow::Status::IOError("the file can't be written");
    }
    size_ += size;
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;
  arrow::Result<int64_t> Tell() const override { return size_; }
  arrow::Status Close() override {
    is_closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return is_closed_; }
  void rethrow() {
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

 private:
  std::function<void(std::string_view)> sink_;
  std::exception_ptr thrown_;
  int64_t size_ = 0;
  bool is_closed_ = false;
};

template <typename Number>
Number number_of(const RecordValue& value) {
  Number number{};
  const char* end = value.text.data() + value.text.size();
  const auto result = std::from_chars(value.text.data(), end, number);
  AIR_CHECK(result.ec == std::errc() && result.ptr == end);
  return number;
}

/// Appends values to the builders of a column and of its parts.
class RowAppender {
 public:
  explicit RowAppender(std::string_view line) : line_(line) {}

  /// @param value null where the record has none.
  void append(ColumnType& type, arrow::ArrayBuilder& builder, const RecordValue* value) {
    if (value == nullptr || value->is_null()) return checked(builder.AppendNull());
    switch (type.kind) {
      case Kind::kNull:
        AIR_CHECK(false);
      case Kind::kBool:
        return checked(static_cast<arrow::BooleanBuilder&>(builder).Append(value->truth));
      case Kind::kInt64:
        return checked(
            static_cast<arrow::Int64Builder&>(builder).Append(number_of<int64_t>(*value)));
      case Kind::kUint64:
        return checked(
            static_cast<arrow::UInt64Builder&>(builder).Append(number_of<uint64_t>(*value)));
      case Kind::kDouble:
        return checked(
            static_cast<arrow::DoubleBuilder&>(builder).Append(number_of<double>(*value)));
      case Kind::kString:
        return checked(static_cast<arrow::StringBuilder&>(builder).Append(value->text));
      case Kind::kJson:
        return checked(static_cast<arrow::StringBuilder&>(builder).Append(
            line_.substr(value->begin, value->end - value->begin)));
      case Kind::kList:
        return append_list(type, static_cast<arrow::ListBuilder&>(builder), *value);
      case Kind::kStruct:
        return append_struct(type, static_cast<arrow::StructBuilder&>(builder), *value);
    }
  }

  void append_struct(ColumnType& type, arrow::StructBuilder& builder, const RecordValue& value) {
    std::vector<const RecordValue*> members(type.members.size());
    for (const RecordMember& member : value.members)
      members.at(type.find(member.name)) = &member.value;
    checked(builder.Append());
    for (size_t i = 0; i < members.size(); ++i)
      append(type.members[i].type, *builder.field_builder(static_cast<int>(i)), members[i]);
  }

 private:
  void append_list(ColumnType& type, arrow::ListBuilder& builder, const RecordValue& value) {
    checked(builder.Append());
    for (const RecordValue& item : value.items)
      append(type.items.front(), *builder.value_builder(), &item);
  }

  std::string_view line_;
};

class TableWriter : public ParquetWriter {
 public:
  TableWriter(const ColumnType& columns, const std::function<void(std::string_view)>& sink)
      : columns_(columns), sink_(std::make_shared<SinkStream>(sink)) {
    guarded([&] {
      arrow::MemoryPool* const pool = arrow::system_memory_pool();
      const auto type = arrow_type(columns_);
      std::unique_ptr<arrow::ArrayBuilder> builder;
      checked(arrow::MakeBuilder(pool, type, &builder));
      rows_.reset(static_cast<arrow::StructBuilder*>(builder.release()));
      parquet::WriterProperties::Builder properties;
      properties.memory_pool(pool)->compression(parquet::Compression::ZSTD)->enable_page_checksum();
      file_ = check(parquet::arrow::FileWriter::Open(
                        *arrow::schema(type->fields()), pool, sink_, properties.build(),
                        parquet::ArrowWriterProperties::Builder().store_schema()->build()),
                    ErrorKind::kResource, "");
    });
  }

  void append(const RecordValue& record, std::string_view line) override {
    guarded([&] { RowAppender(line).append_struct(columns_, *rows_, record); });
    bytes_ += line.size();
    if (bytes_ >= kRowGroupBytes) write_group();
  }

  void finish() override {
    if (rows_->length() > 0) write_group();
    guarded([&] { checked(file_->Close()); });
  }

 private:
  /// What the sink threw is the cause of whatever Arrow reports.
  template <typename Work>
  void guarded(Work work) {
    try {
      without_exceptions_of_parquet(ErrorKind::kResource, "", work);
    } catch (const Error&) {
      sink_->rethrow();
      throw;
    }
    sink_->rethrow();
  }

  void write_group() {
    guarded([&] {
      std::shared_ptr<arrow::Array> rows;
      checked(rows_->Finish(&rows));
      const auto batch = check(arrow::RecordBatch::FromStructArray(rows), ErrorKind::kResource, "");
      const auto table = check(arrow::Table::FromRecordBatches({batch}), ErrorKind::kResource, "");
      checked(file_->WriteTable(*table, std::max<int64_t>(table->num_rows(), 1)));
    });
    bytes_ = 0;
  }

  ColumnType columns_;
  std::shared_ptr<SinkStream> sink_;
  std::unique_ptr<arrow::StructBuilder> rows_;
  std::unique_ptr<parquet::arrow::FileWriter> file_;
  size_t bytes_ = 0;  // of the lines in the row group
};

}  // namespace

std::unique_ptr<ParquetWriter> open_parquet_writer(
    const ColumnType& columns, const std::function<void(std::string_view bytes)>& sink) {
  return std::make_unique<TableWriter>(columns, sink);
}

}  // namespace air
