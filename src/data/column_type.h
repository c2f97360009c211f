// The columns that lines of JSON have in common: what a table needs to know before its first row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/record_value.h"

namespace air {

struct ColumnMember;

/// What the values of one place (a column, a member of a struct, the items of a list) have in
/// common.
struct ColumnType {
  /// kNull: only null so far. kJson: values of several kinds, or such as no table has; each is kept
  /// as the JSON text that the line has for it.
  enum class Kind { kNull, kBool, kInt64, kUint64, kDouble, kString, kList, kStruct, kJson };
  Kind kind = Kind::kNull;
  std::vector<ColumnMember> members;  ///< of kStruct, in the order of their first occurrence
  std::vector<ColumnType> items;      ///< of kList: one type, once an item was seen
  bool has_negative = false;          ///< of integers
  bool has_inexact = false;           ///< of integers: one that a double would round
  size_t next_member = 0;             ///< where the next name is looked for first

  /// Takes a record in. @throws Error(kInput) that names no place when it has a key twice.
  void add(const RecordValue& record);
  /// After the last value: a struct without members becomes kJson, which a table can hold.
  void settle();
  /// The places that are kJson, as paths: "meta.score", "messages[].content".
  std::vector<std::string> json_paths() const;

  /// Where a member is; members.size(): there is none. Members that come in the same order are
  /// found at once.
  size_t find(std::string_view name);

 private:
  void add_at(const RecordValue& value, int depth);
  void add_number(const RecordValue& value);
  void add_members(const RecordValue& value, int depth);
  void become(Kind other);
};

/// A member of a struct.
struct ColumnMember {
  std::string name;
  ColumnType type;
};

}  // namespace air
