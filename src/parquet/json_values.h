// The values of Arrow's arrays as JSON, the way that pandas' to_json writes a table's rows.
#pragma once

#include <arrow/array.h>
#include <arrow/type.h>

#include <cstdint>
#include <memory>
#include <string>

namespace air {

/// Appends single values of one array. docs/data-format.md lists what each type becomes.
class JsonValues {
 public:
  virtual ~JsonValues() = default;
  /// @throws Error(kInput) that names the column: binary that is not text, a time out of range.
  void append(int64_t row, std::string& out) const {
    if (array_->IsNull(row))
      out += "null";
    else
      append_value(row, out);
  }

 protected:
  explicit JsonValues(std::shared_ptr<arrow::Array> array) : array_(std::move(array)) {}
  virtual void append_value(int64_t row, std::string& out) const = 0;

 private:
  std::shared_ptr<arrow::Array> array_;
};

/// @param column the array's name, for messages.   @throws Error(kInput) as require_json_types().
std::unique_ptr<JsonValues> make_json_values(const std::shared_ptr<arrow::Array>& array,
                                             const std::string& column);

/// Before any row is read: every type of a schema, or of a struct's members, has a form in JSON,
/// and no name appears twice. @throws Error(kInput) that names the column and the type.
void require_json_types(const arrow::FieldVector& fields, const std::string& parent = "");

}  // namespace air
