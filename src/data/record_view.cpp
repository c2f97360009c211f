#include "data/record_view.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "data/field_path.h"
#include "data/record_names.h"

namespace air {

namespace {

/// JSON null counts as absent: datasets with columns write it for an empty cell.
const RecordValue* unless_null(const RecordValue* value) {
  return value && value->is_null() ? nullptr : value;
}

}  // namespace

const RecordValue* RecordView::find(std::string_view field) const {
  return unless_null(find_field(record_, field));
}

int64_t RecordView::count(std::string_view key) const {
  return std::count_if(record_.members.begin(), record_.members.end(),
                       [&](const auto& m) { return m.name == key; });
}

std::string_view RecordView::first_of(std::span<const std::string_view> fields) const {
  const auto it = std::find_if(fields.begin(), fields.end(),
                               [&](std::string_view field) { return has(field); });
  if (it != fields.end()) return *it;
  for (const std::string_view field : fields)
    for (const RecordMember& member : record_.members)
      if (names::same_name(member.name, field) && has(member.name)) return member.name;
  return {};
}

const RecordValue& RecordView::get(std::string_view field) const {
  const RecordValue* value = find(field);
  if (!value)
    throw Error(ErrorKind::kInput, "", "no field \"" + std::string(field) + "\"",
                "this record has: " + field_names());
  return *value;
}

const std::string& RecordView::text(std::string_view field) const {
  const RecordValue& value = get(field);
  return string_of(value, field);
}

const std::string& RecordView::string_of(const RecordValue& value, std::string_view field) const {
  if (!value.is_string()) fail(field, "holds " + kind_name(value) + ", not a string");
  if (value.is_broken)
    fail(field, "holds half a surrogate pair (\\ud800 to \\udfff), which is not text");
  return value.text;
}

const RecordValue& RecordView::list(std::string_view field) const {
  const RecordValue& value = get(field);
  if (!value.is_array()) fail(field, "is " + kind_name(value) + ", not a list");
  return value;
}

std::string RecordView::field_names() const {
  if (record_.members.empty()) return "no fields";
  return join(record_.members, ", ", [](const RecordMember& member) { return member.name; });
}

void RecordView::fail(std::string_view field, const std::string& what) const {
  throw Error(ErrorKind::kInput, "", "the field \"" + std::string(field) + "\" " + what);
}

}  // namespace air
