#include "parquet/json_values.h"

#include <arrow/array/array_dict.h>
#include <arrow/array/array_nested.h>
#include <arrow/extension_type.h>
#include <arrow/util/float16.h>
#include <arrow/util/utf8.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace air {

namespace {

using Values = std::unique_ptr<JsonValues>;
using Type = arrow::Type;

constexpr const char* kDropHint =
    "leave the column out: python3 -c 'import sys, pyarrow.parquet as pq; "
    "pq.write_table(pq.read_table(sys.argv[1]).drop_columns(sys.argv[3:]), sys.argv[2])' FILE "
    "OUT COLUMN";

/// Values that a function writes: `write(array, row, out)`.
template <typename ArrayType, typename Write>
class SimpleValues : public JsonValues {
 public:
  SimpleValues(const std::shared_ptr<arrow::Array>& array, Write write)
      : JsonValues(array), array_(static_cast<const ArrayType&>(*array)), write_(write) {}

 private:
  void append_value(int64_t row, std::string& out) const override { write_(array_, row, out); }
  const ArrayType& array_;
  Write write_;
};

template <typename ArrayType, typename Write>
Values simple(const std::shared_ptr<arrow::Array>& array, Write write) {
  return std::make_unique<SimpleValues<ArrayType, Write>>(array, write);
}

template <typename ArrayType>
Values integers(const std::shared_ptr<arrow::Array>& array) {
  return simple<ArrayType>(array, [](const ArrayType& values, int64_t row, std::string& out) {
    out += std::to_string(values.Value(row));
  });
}

/// As pandas: what is not finite is null. A whole number keeps its period, which tells it from an
/// integer.
void append_real(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const size_t begin = out.size();
  append_number(out, value);
  if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";
}

template <typename ArrayType>
Values strings(const std::shared_ptr<arrow::Array>& array) {
  return simple<ArrayType>(array, [](const ArrayType& values, int64_t row, std::string& out) {
    append_string(out, values.GetView(row));
  });
}

template <typename ArrayType>
Values bytes(const std::shared_ptr<arrow::Array>& array, const std::string& column) {
  arrow::util::InitializeUTF8();
  return simple<ArrayType>(array, [column](const ArrayType& values, int64_t row, std::string& out) {
    const std::string_view text(values.GetView(row));
    if (!arrow::util::ValidateUTF8(text))
      throw Error(ErrorKind::kInput, "",
                  "column \"" + column + "\": binary data that is not text (UTF-8)", kDropHint);
    append_string(out, text);
  });
}

/// Whole units of `divisor` parts each, towards the past.
int64_t floor_divide(int64_t value, int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

/// Milliseconds, as pandas writes points and lengths of time.
int64_t to_milliseconds(int64_t value, arrow::TimeUnit::type unit, const std::string& column) {
  switch (unit) {
    case arrow::TimeUnit::SECOND: {
      int64_t result = 0;
      if (!__builtin_mul_overflow(value, int64_t{1000}, &result)) return result;
      throw Error(ErrorKind::kInput, "", "column \"" + column + "\": a time that is out of range");
    }
    case arrow::TimeUnit::MILLI:
      return value;
    case arrow::TimeUnit::MICRO:
      return floor_divide(value, 1000);
    case arrow::TimeUnit::NANO:
      break;
  }
  return floor_divide(value, 1000000);
}

template <typename ArrayType>
Values times(const std::shared_ptr<arrow::Array>& array, arrow::TimeUnit::type unit,
             const std::string& column) {
  return simple<ArrayType>(
      array, [unit, column](const ArrayType& values, int64_t row, std::string& out) {
        out += std::to_string(to_milliseconds(values.Value(row), unit, column));
      });
}

/// "01:02:03", with a fraction where there is one, as Python's isoformat().
template <typename ArrayType>
Values times_of_day(const std::shared_ptr<arrow::Array>& array, arrow::TimeUnit::type unit,
                    const std::string& column) {
  constexpr int64_t kPerSecond[] = {1, 1000, 1000000, 1000000000};
  const int64_t parts = kPerSecond[static_cast<int>(unit)];
  return simple<ArrayType>(
      array, [parts, column](const ArrayType& values, int64_t row, std::string& out) {
        constexpr int64_t kDay = 24 * 60 * 60;
        const int64_t value = values.Value(row);
        if (value < 0 || value / parts >= kDay)
          throw Error(ErrorKind::kInput, "",
                      "column \"" + column + "\": a time of day that is out of range");
        const auto seconds = static_cast<int>(value / parts);
        const auto nanoseconds = static_cast<int>(value % parts * (1000000000 / parts));
        char text[32];
        std::snprintf(text, sizeof text, "\"%02d:%02d:%02d", seconds / 3600, seconds / 60 % 60,
                      seconds % 60);
        out += text;
        if (nanoseconds % 1000 != 0)
          std::snprintf(text, sizeof text, ".%09d", nanoseconds);
        else
          std::snprintf(text, sizeof text, ".%06d", nanoseconds / 1000);
        if (nanoseconds != 0) out += text;
        out += '"';
      });
}

template <typename ArrayType>
Values decimals(const std::shared_ptr<arrow::Array>& array) {
  return simple<ArrayType>(array, [](const ArrayType& values, int64_t row, std::string& out) {
    append_string(out, values.FormatValue(row));
  });
}

/// Lists of any kind: `values` is one array that holds the items of all.
template <typename ArrayType>
class ListValues : public JsonValues {
 public:
  ListValues(const std::shared_ptr<arrow::Array>& array, const std::string& column)
      : JsonValues(array),
        array_(static_cast<const ArrayType&>(*array)),
        items_(make_json_values(array_.values(), column)) {}

 private:
  void append_value(int64_t row, std::string& out) const override {
    out += '[';
    const int64_t begin = array_.value_offset(row), end = begin + array_.value_length(row);
    for (int64_t i = begin; i < end; ++i) {
      if (i > begin) out += ',';
      items_->append(i, out);
    }
    out += ']';
  }
  const ArrayType& array_;
  Values items_;
};

/// As pandas: a list of pairs, since keys need not be strings.
class MapValues : public JsonValues {
 public:
  MapValues(const std::shared_ptr<arrow::Array>& array, const std::string& column)
      : JsonValues(array),
        array_(static_cast<const arrow::MapArray&>(*array)),
        keys_(make_json_values(array_.keys(), column)),
        items_(make_json_values(array_.items(), column)) {}

 private:
  void append_value(int64_t row, std::string& out) const override {
    out += '[';
    const int64_t begin = array_.value_offset(row), end = begin + array_.value_length(row);
    for (int64_t i = begin; i < end; ++i) {
      out += i > begin ? ",[" : "[";
      keys_->append(i, out);
      out += ',';
      items_->append(i, out);
      out += ']';
    }
    out += ']';
  }
  const arrow::MapArray& array_;
  Values keys_, items_;
};

class StructValues : public JsonValues {
 public:
  StructValues(const std::shared_ptr<arrow::Array>& array, const std::string& column)
      : JsonValues(array) {
    const auto& type = static_cast<const arrow::StructType&>(*array->type());
    for (int i = 0; i < type.num_fields(); ++i) {
      const std::string& name = type.field(i)->name();
      std::string key = i > 0 ? "," : "";
      append_string(key, name);
      members_.emplace_back(
          key + ":", make_json_values(static_cast<const arrow::StructArray&>(*array).field(i),
                                      column.empty() ? name : column + "." + name));
    }
  }

 private:
  void append_value(int64_t row, std::string& out) const override {
    out += '{';
    for (const auto& [key, values] : members_) {
      out += key;
      values->append(row, out);
    }
    out += '}';
  }
  std::vector<std::pair<std::string, Values>> members_;
};

/// Each value is one of a few, by its number.
class DictionaryValues : public JsonValues {
 public:
  DictionaryValues(const std::shared_ptr<arrow::Array>& array, const std::string& column)
      : JsonValues(array),
        array_(static_cast<const arrow::DictionaryArray&>(*array)),
        values_(make_json_values(array_.dictionary(), column)) {}

 private:
  void append_value(int64_t row, std::string& out) const override {
    values_->append(array_.GetValueIndex(row), out);
  }
  const arrow::DictionaryArray& array_;
  Values values_;
};

[[noreturn]] void refuse(const arrow::DataType& type, const std::string& column) {
  throw Error(ErrorKind::kInput, "",
              "column \"" + column + "\" has a type that JSON does not have: " + type.ToString(),
              kDropHint);
}

Values time_values(const std::shared_ptr<arrow::Array>& array, const std::string& column) {
  const arrow::DataType& type = *array->type();
  switch (type.id()) {
    case Type::DATE32:
      return simple<arrow::Date32Array>(
          array, [](const arrow::Date32Array& values, int64_t row, std::string& out) {
            out += std::to_string(values.Value(row) * int64_t{86400000});
          });
    case Type::DATE64:
      return integers<arrow::Date64Array>(array);
    case Type::TIMESTAMP:
      return times<arrow::TimestampArray>(
          array, static_cast<const arrow::TimestampType&>(type).unit(), column);
    case Type::DURATION:
      return times<arrow::DurationArray>(
          array, static_cast<const arrow::DurationType&>(type).unit(), column);
    case Type::TIME32:
      return times_of_day<arrow::Time32Array>(
          array, static_cast<const arrow::Time32Type&>(type).unit(), column);
    case Type::TIME64:
      return times_of_day<arrow::Time64Array>(
          array, static_cast<const arrow::Time64Type&>(type).unit(), column);
    default:
      refuse(type, column);
  }
}

Values number_values(const std::shared_ptr<arrow::Array>& array, const std::string& column) {
  switch (array->type_id()) {
    case Type::INT8:
      return integers<arrow::Int8Array>(array);
    case Type::INT16:
      return integers<arrow::Int16Array>(array);
    case Type::INT32:
      return integers<arrow::Int32Array>(array);
    case Type::INT64:
      return integers<arrow::Int64Array>(array);
    case Type::UINT8:
      return integers<arrow::UInt8Array>(array);
    case Type::UINT16:
      return integers<arrow::UInt16Array>(array);
    case Type::UINT32:
      return integers<arrow::UInt32Array>(array);
    case Type::UINT64:
      return integers<arrow::UInt64Array>(array);
    case Type::HALF_FLOAT:
      return simple<arrow::HalfFloatArray>(
          array, [](const arrow::HalfFloatArray& values, int64_t row, std::string& out) {
            append_real(out, arrow::util::Float16::FromBits(values.Value(row)).ToDouble());
          });
    case Type::FLOAT:
      return simple<arrow::FloatArray>(
          array, [](const arrow::FloatArray& values, int64_t row, std::string& out) {
            append_real(out, values.Value(row));
          });
    case Type::DOUBLE:
      return simple<arrow::DoubleArray>(
          array, [](const arrow::DoubleArray& values, int64_t row, std::string& out) {
            append_real(out, values.Value(row));
          });
    case Type::DECIMAL32:
      return decimals<arrow::Decimal32Array>(array);
    case Type::DECIMAL64:
      return decimals<arrow::Decimal64Array>(array);
    case Type::DECIMAL128:
      return decimals<arrow::Decimal128Array>(array);
    case Type::DECIMAL256:
      return decimals<arrow::Decimal256Array>(array);
    default:
      return time_values(array, column);
  }
}

}  // namespace

Values make_json_values(const std::shared_ptr<arrow::Array>& array, const std::string& column) {
  switch (array->type_id()) {
    case Type::NA:
      return simple<arrow::NullArray>(array, [](const auto&, int64_t, std::string&) {});
    case Type::BOOL:
      return simple<arrow::BooleanArray>(
          array, [](const arrow::BooleanArray& values, int64_t row, std::string& out) {
            out += values.Value(row) ? "true" : "false";
          });
    case Type::STRING:
      return strings<arrow::StringArray>(array);
    case Type::LARGE_STRING:
      return strings<arrow::LargeStringArray>(array);
    case Type::STRING_VIEW:
      return strings<arrow::StringViewArray>(array);
    case Type::BINARY:
      return bytes<arrow::BinaryArray>(array, column);
    case Type::LARGE_BINARY:
      return bytes<arrow::LargeBinaryArray>(array, column);
    case Type::BINARY_VIEW:
      return bytes<arrow::BinaryViewArray>(array, column);
    case Type::FIXED_SIZE_BINARY:
      return bytes<arrow::FixedSizeBinaryArray>(array, column);
    case Type::LIST:
      return std::make_unique<ListValues<arrow::ListArray>>(array, column);
    case Type::LARGE_LIST:
      return std::make_unique<ListValues<arrow::LargeListArray>>(array, column);
    case Type::LIST_VIEW:
      return std::make_unique<ListValues<arrow::ListViewArray>>(array, column);
    case Type::LARGE_LIST_VIEW:
      return std::make_unique<ListValues<arrow::LargeListViewArray>>(array, column);
    case Type::FIXED_SIZE_LIST:
      return std::make_unique<ListValues<arrow::FixedSizeListArray>>(array, column);
    case Type::MAP:
      return std::make_unique<MapValues>(array, column);
    case Type::STRUCT:
      return std::make_unique<StructValues>(array, column);
    case Type::DICTIONARY:
      return std::make_unique<DictionaryValues>(array, column);
    case Type::EXTENSION:
      return make_json_values(static_cast<const arrow::ExtensionArray&>(*array).storage(), column);
    default:
      return number_values(array, column);
  }
}

void require_json_types(const arrow::FieldVector& fields, const std::string& parent) {
  std::set<std::string_view> names;
  for (const auto& field : fields) {
    const std::string column = parent.empty() ? field->name() : parent + "." + field->name();
    const arrow::DataType& type = *field->type();
    if (!names.insert(field->name()).second)
      throw Error(ErrorKind::kInput, "", "two columns are called \"" + column + "\"",
                  "give one of them another name");
    if (type.id() == Type::STRUCT) {
      require_json_types(type.fields(), column);
    } else {
      for (const auto& part : type.fields()) require_json_types({part}, parent);
      // An array without rows shows whether there is a form for the type.
      if (type.num_fields() == 0) {
        auto empty = arrow::MakeEmptyArray(field->type());
        if (!empty.ok()) refuse(type, column);
        make_json_values(empty.ValueUnsafe(), column);
      }
    }
  }
}

}  // namespace air
