// A record of a dataset as it was parsed: numbers keep their digits, members their order and their
// repetitions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace air {

struct RecordMember;

/// A JSON value (RFC 8259), or a number of Python's that JSON does not have, and its place in the
/// line.
struct RecordValue {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  std::string text;          ///< a string's characters; a number as it is written
  bool truth = false;        ///< of kBool
  bool is_not_json = false;  ///< a number that Python writes and JSON does not have: NaN, Infinity
  bool is_broken = false;    ///< a string with half a surrogate pair: no text
  size_t begin = 0;          ///< span in the line, in bytes
  size_t end = 0;
  std::vector<RecordValue> items;
  std::vector<RecordMember> members;

  bool is_string() const { return kind == Kind::kString; }
  bool is_number() const { return kind == Kind::kNumber; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_object() const { return kind == Kind::kObject; }
  bool is_null() const { return kind == Kind::kNull; }
};

/// A member of an object.
struct RecordMember {
  std::string name;
  RecordValue value;
};

/// "a string", "a number", …, for messages.
std::string kind_name(const RecordValue& value);

/// Parses one line. @throws Error(kInput) that names no place: invalid UTF-8 or JSON, with the byte
/// position; not an object; nested too deep.
RecordValue parse_record_line(std::string_view line);

}  // namespace air
