#include "data/column_type.h"

#include <charconv>
#include <cstdint>
#include <unordered_set>
#include <utility>

#include "base/error.h"

namespace air {

namespace {

using Kind = ColumnType::Kind;

// Levels of a Parquet schema, of which readers take 100; deeper values are kept as text. A member
// is one level, an item of a list two.
constexpr int kMaxDepth = 90, kMemberLevels = 1, kItemLevels = 2;
// Objects with more keys than this in all are taken for dictionaries whose keys are data.
constexpr size_t kMaxMembers = 1000;
constexpr int64_t kLargestExact = int64_t{1} << 53;  // in a double

template <typename Number>
bool converts(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

/// The first name that appears for a second time; null: there is none.
const std::string* doubled_key(const RecordValue& object) {
  constexpr size_t kFew = 8;
  const auto& members = object.members;
  if (members.size() <= kFew) {
    for (size_t i = 0; i < members.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (members[j].name == members[i].name) return &members[i].name;
    return nullptr;
  }
  std::unordered_set<std::string_view> names;
  for (const RecordMember& member : members)
    if (!names.insert(member.name).second) return &member.name;
  return nullptr;
}

void collect(const ColumnType& type, const std::string& path, std::vector<std::string>& out) {
  if (type.kind == Kind::kJson) out.push_back(path);
  for (const ColumnType& item : type.items) collect(item, path + "[]", out);
  for (const ColumnMember& member : type.members)
    collect(member.type, path.empty() ? member.name : path + "." + member.name, out);
}

}  // namespace

size_t ColumnType::find(std::string_view name) {
  for (size_t i = 0; i < members.size(); ++i) {
    const size_t at = (next_member + i) % members.size();
    if (members[at].name != name) continue;
    next_member = at + 1;
    return at;
  }
  return members.size();
}

void ColumnType::add(const RecordValue& record) {
  if (const std::string* key = doubled_key(record))
    throw Error(ErrorKind::kInput, "",
                "the key \"" + *key + "\" appears twice: a table has one such column",
                "an output of JSON lines keeps both: -o OUT.jsonl");
  add_at(record, 0);
}

void ColumnType::become(Kind other) {
  kind = other;
  if (other != Kind::kJson) return;
  members.clear();
  items.clear();
}

void ColumnType::add_number(const RecordValue& value) {
  int64_t integer = 0;
  uint64_t natural = 0;
  double real = 0;
  Kind seen = Kind::kJson;
  bool is_inexact = false, is_negative = false;
  if (converts(value.text, integer)) {
    seen = Kind::kInt64;
    is_negative = integer < 0;
    is_inexact = integer > kLargestExact || integer < -kLargestExact;
  } else if (converts(value.text, natural)) {
    seen = Kind::kUint64;
    is_inexact = true;
  } else if (value.is_not_json ||
             (value.text.find_first_of(".eE") != std::string::npos && converts(value.text, real))) {
    seen = Kind::kDouble;
  }
  has_inexact = has_inexact || is_inexact;
  has_negative = has_negative || is_negative;
  const auto either = [&](Kind which) { return kind == which || seen == which; };
  if (seen == Kind::kJson || (kind != Kind::kNull && kind != Kind::kInt64 &&
                              kind != Kind::kUint64 && kind != Kind::kDouble)) {
    become(Kind::kJson);
  } else if (either(Kind::kDouble)) {
    become(has_inexact ? Kind::kJson : Kind::kDouble);
  } else if (either(Kind::kUint64)) {
    become(has_negative ? Kind::kJson : Kind::kUint64);
  } else {
    become(Kind::kInt64);
  }
}

void ColumnType::add_members(const RecordValue& value, int depth) {
  for (const RecordMember& member : value.members) {
    size_t at = find(member.name);
    if (at == members.size()) {
      if (members.size() == kMaxMembers && depth > 0) return become(Kind::kJson);
      members.push_back({member.name, {}});
      next_member = members.size();
    }
    members[at].type.add_at(member.value, depth + kMemberLevels);
  }
}

void ColumnType::add_at(const RecordValue& value, int depth) {
  if (value.is_null() || kind == Kind::kJson) return;
  if (value.is_number()) return add_number(value);
  const Kind seen = depth > kMaxDepth                          ? Kind::kJson
                    : value.kind == RecordValue::Kind::kBool   ? Kind::kBool
                    : value.kind == RecordValue::Kind::kString ? Kind::kString
                    : value.kind == RecordValue::Kind::kArray  ? Kind::kList
                                                               : Kind::kStruct;
  if (seen == Kind::kJson || value.is_broken || (kind != Kind::kNull && kind != seen))
    return become(Kind::kJson);
  kind = seen;
  if (kind == Kind::kStruct && depth > 0 && doubled_key(value) != nullptr)
    return become(Kind::kJson);
  if (kind == Kind::kStruct) return add_members(value, depth);
  if (kind != Kind::kList || value.items.empty()) return;
  if (items.empty()) items.resize(1);
  for (const RecordValue& item : value.items) items.front().add_at(item, depth + kItemLevels);
}

void ColumnType::settle() {
  for (ColumnType& item : items) item.settle();
  for (ColumnMember& member : members) member.type.settle();
  if (kind == Kind::kStruct && members.empty()) become(Kind::kJson);
}

std::vector<std::string> ColumnType::json_paths() const {
  std::vector<std::string> paths;
  collect(*this, "", paths);
  return paths;
}

}  // namespace air
