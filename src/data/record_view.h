// A record with the means to read its fields and to complain about them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/record_value.h"

namespace air {

/// Errors name the field, and no place.
class RecordView {
 public:
  explicit RecordView(const RecordValue& record) : record_(record) {}

  /// The field, null when it is absent or JSON null. A path "a.b" descends, unless the record has
  /// that very key.
  /// @throws Error(kInput) when the field appears twice.
  const RecordValue* find(std::string_view field) const;
  /// The first of these fields that the record has, as the record spells it: by this very name,
  /// else with other capital letters. Empty: none.
  std::string_view first_of(std::span<const std::string_view> fields) const;
  /// How often the record has this very key.
  int64_t count(std::string_view key) const;
  bool has(std::string_view field) const { return find(field) != nullptr; }
  /// A field that must be there, as text. @throws Error(kInput).
  const std::string& text(std::string_view field) const;
  const RecordValue& get(std::string_view field) const;
  /// The text of a value of `field`. @throws Error(kInput) when it is not a string.
  const std::string& string_of(const RecordValue& value, std::string_view field) const;
  /// A field that must be there and be a list.
  const RecordValue& list(std::string_view field) const;
  /// All members, in order.
  const std::vector<RecordMember>& members() const { return record_.members; }
  /// "question, solution": for hints.
  std::string field_names() const;
  /// @throws Error(kInput) naming the field.
  [[noreturn]] void fail(std::string_view field, const std::string& what) const;

 private:
  const RecordValue& record_;
};

}  // namespace air
