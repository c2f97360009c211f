// What a tokenizer part looks for: a literal string or a regular expression.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "text/json_part.h"
#include "text/regex.h"

namespace air {

/// `{"String": …}` or `{"Regex": …}`.
class Pattern {
 public:
  Pattern(const json_part::Value& json, const std::string& where) {
    if (json.IsObject() && json.MemberCount() == 1 && json.HasMember("String")) {
      literal_ = json_part::get_string(json, "String", where);
      if (literal_.empty()) json_part::fail(where, "is an empty string");
    } else if (json.IsObject() && json.MemberCount() == 1 && json.HasMember("Regex")) {
      regex_.emplace(json_part::get_string(json, "Regex", where), where);
    } else {
      json_part::fail(where, "must be {\"String\": …} or {\"Regex\": …}");
    }
  }
  explicit Pattern(Regex regex) : regex_(std::move(regex)) {}

  /// Calls visit(Match) for each match from left to right; matches do not overlap.
  template <typename Visit>
  void for_each_match(std::string_view text, Visit visit) const {
    size_t from = 0;
    while (from <= text.size()) {
      const std::optional<Match> match = find(text, from);
      if (!match) return;
      visit(*match);
      from = match->end;
      if (match->empty()) {  // continue after the next character
        if (from == text.size()) return;
        do ++from;
        while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80);
      }
    }
  }

 private:
  std::optional<Match> find(std::string_view text, size_t from) const {
    if (regex_) return regex_->find(text, from);
    const size_t at = text.find(literal_, from);
    if (at == std::string_view::npos) return std::nullopt;
    return Match{at, at + literal_.size()};
  }

  std::string literal_;
  std::optional<Regex> regex_;
};

}  // namespace air
