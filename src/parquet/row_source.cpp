#include "parquet/row_source.h"

#include <arrow/array/array_nested.h>
#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include <algorithm>
#include <cstring>

#include "parquet/arrow_status.h"
#include "parquet/json_values.h"

namespace air {

namespace {

constexpr int64_t kBatchBytes = 4 << 20;  // of columns that are decoded at a time, about
constexpr int64_t kMaxBatchRows = 8192;
constexpr int kMaxLevels = 2000;        // of the schema
constexpr size_t kTextBytes = 1 << 20;  // of JSON that is kept ready, about

class ParquetRows : public ByteSource {
 public:
  ParquetRows(const std::string& path, std::string name) : name_(std::move(name)) {
    guarded([&] { open(path); });
  }

  size_t read(char* out, size_t size) override {
    while (given_ == text_.size()) {
      text_.clear();
      given_ = 0;
      if (!guarded([&] { return fill(); })) return 0;
    }
    const size_t count = std::min(size, text_.size() - given_);
    std::memcpy(out, text_.data() + given_, count);
    given_ += count;
    return count;
  }

 private:
  template <typename Work>
  auto guarded(Work work) -> decltype(work()) {
    return without_exceptions_of_parquet(ErrorKind::kInput, name_, work);
  }

  template <typename T>
  auto checked(T&& result) {
    return check(std::forward<T>(result), ErrorKind::kInput, name_);
  }

  void open(const std::string& path) {
    arrow::MemoryPool* const pool = arrow::system_memory_pool();
    parquet::ReaderProperties properties(pool);
    properties.enable_buffered_stream();
    properties.set_page_checksum_verification(true);
    properties.set_schema_depth_limit(kMaxLevels);
    parquet::ArrowReaderProperties how(/*use_threads=*/false);
    how.set_pre_buffer(false);
    parquet::arrow::FileReaderBuilder builder;
    checked(builder.Open(checked(arrow::io::ReadableFile::Open(path, pool)), properties));
    how.set_batch_size(batch_rows(*builder.raw_reader()->metadata()));
    builder.memory_pool(pool)->properties(how);
    checked(builder.Build(&reader_));
    std::shared_ptr<arrow::Schema> schema;
    checked(reader_->GetSchema(&schema));
    in_context(name_, [&] { require_json_types(schema->fields()); });
    batches_ = checked(reader_->GetRecordBatchReader());
  }

  static int64_t batch_rows(const parquet::FileMetaData& file) {
    int64_t largest = 1;  // bytes a row, of the row group that has most
    for (int i = 0; i < file.num_row_groups(); ++i) {
      const auto group = file.RowGroup(i);
      largest =
          std::max(largest, group->total_byte_size() / std::max<int64_t>(group->num_rows(), 1));
    }
    return std::clamp<int64_t>(kBatchBytes / largest, 1, kMaxBatchRows);
  }

  /// Makes some rows ready; false at the end.
  bool fill() {
    while (!values_ || next_ == rows_) {
      std::shared_ptr<arrow::RecordBatch> batch;
      checked(batches_->ReadNext(&batch));
      if (!batch) return false;
      checked(batch->Validate());
      rows_ = batch->num_rows();
      next_ = 0;
      values_ = rows_of(*batch);
    }
    for (; next_ < rows_ && text_.size() < kTextBytes; ++next_) {
      ++row_;
      in_context(name_ + ":row " + std::to_string(row_), [&] { values_->append(next_, text_); });
      text_ += '\n';
    }
    return true;
  }

  static std::unique_ptr<JsonValues> rows_of(const arrow::RecordBatch& batch) {
    auto rows = std::make_shared<arrow::StructArray>(arrow::struct_(batch.schema()->fields()),
                                                     batch.num_rows(), batch.columns());
    return make_json_values(rows, "");
  }

  std::string name_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::RecordBatchReader> batches_;
  std::unique_ptr<JsonValues> values_;  // of the batch at hand
  int64_t rows_ = 0, next_ = 0;         // in it
  int64_t row_ = 0;                     // in the file, from 1
  std::string text_;
  size_t given_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> open_parquet_rows(const std::string& path, const std::string& name) {
  return std::make_unique<ParquetRows>(path, name);
}

}  // namespace air
