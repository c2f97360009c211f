#include "air/data/record_value.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>

#include "air/base/error.h"
#include "air/text/utf8.h"

namespace air {

namespace {

constexpr size_t kMaxDepth = 1000;

/// Builds the tree from the parser's events. Numbers come as text, so that none is out of range.
class TreeBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  explicit TreeBuilder(RecordValue& root) : root_(root) {}
  bool too_deep() const { return too_deep_; }

  bool Null() { return add(RecordValue::Kind::kNull) != nullptr; }
  bool Bool(bool) { return add(RecordValue::Kind::kBool) != nullptr; }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    add(RecordValue::Kind::kNumber)->text.assign(text, size);
    return true;
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    add(RecordValue::Kind::kString)->text.assign(text, size);
    return true;
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    open_.back()->members.emplace_back(std::string(text, size), RecordValue());
    return true;
  }
  bool StartObject() { return open(RecordValue::Kind::kObject); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool StartArray() { return open(RecordValue::Kind::kArray); }
  bool EndArray(rapidjson::SizeType) { return close(); }

 private:
  RecordValue* add(RecordValue::Kind kind) {
    RecordValue* value = &root_;
    if (!open_.empty()) {
      RecordValue& parent = *open_.back();
      value = parent.is_array() ? &parent.items.emplace_back() : &parent.members.back().second;
    }
    value->kind = kind;
    return value;
  }
  bool open(RecordValue::Kind kind) {
    too_deep_ = open_.size() >= kMaxDepth;
    if (!too_deep_) open_.push_back(add(kind));
    return !too_deep_;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  RecordValue& root_;
  std::vector<RecordValue*> open_;  // a value is complete before its parent's list grows, so the pointers hold
  bool too_deep_ = false;
};

}  // namespace

bool RecordValue::has(std::string_view key) const {
  return std::any_of(members.begin(), members.end(), [&](const auto& member) { return member.first == key; });
}

std::string kind_name(const RecordValue& value) {
  switch (value.kind) {
    case RecordValue::Kind::kNull: return "null";
    case RecordValue::Kind::kBool: return "true or false";
    case RecordValue::Kind::kNumber: return "a number";
    case RecordValue::Kind::kString: return "a string";
    case RecordValue::Kind::kArray: return "a list";
    case RecordValue::Kind::kObject: return "an object";
  }
  return "";
}

RecordValue parse_record_line(std::string_view line, const std::string& where) {
  if (const auto invalid = first_invalid_utf8(line))
    throw Error(ErrorKind::kInput, where, "invalid UTF-8 at byte " + std::to_string(*invalid) + " of the line",
                "air never repairs text: convert the file to UTF-8");
  RecordValue root;
  TreeBuilder builder(root);
  rapidjson::MemoryStream stream(line.data(), line.size());
  rapidjson::Reader reader;
  const rapidjson::ParseResult result =
      reader.Parse<rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag>(stream, builder);
  if (builder.too_deep())
    throw Error(ErrorKind::kInput, where, "the record is nested more than " + std::to_string(kMaxDepth) + " levels deep");
  if (result.IsError()) {
    const size_t at = line.find_first_not_of(" \t\r");
    const bool array = at != std::string_view::npos && line[at] == '[';
    throw Error(ErrorKind::kInput, where,
                "not JSON at byte " + std::to_string(result.Offset()) + ": " + rapidjson::GetParseError_En(result.Code()),
                array ? "a JSON array is not JSON Lines: jq -c '.[]' FILE converts it" : "air reads one JSON object a line");
  }
  if (root.is_array())
    throw Error(ErrorKind::kInput, where, "the line is a JSON array, not an object",
                "a JSON array is not JSON Lines: jq -c '.[]' FILE converts it");
  if (!root.is_object()) throw Error(ErrorKind::kInput, where, "the line is " + kind_name(root) + ", not an object");
  return root;
}

}  // namespace air
