// Places in a word that no merge can cross, so that the parts on both sides can be encoded apart.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "text/utf8.h"
#include "text/vocabulary.h"

namespace air {

/// Pairs of characters that are neighbours in some token. A token that crossed a cut would hold its
/// pair; so between two characters that no token holds side by side, a cut is safe. Models that do
/// not cut a text into words (Gemma, Llama 2) get short words by this.
class SafeCuts {
 public:
  explicit SafeCuts(const Vocabulary& vocabulary) {
    for (int32_t id = 0; id < vocabulary.end_id(); ++id) add_token(vocabulary.token(id));
  }

  /// The first safe cut after `begin`, or the end of the word. @param is_unknown of a character:
  /// two unknown ones may be fused.
  template <typename IsUnknown>
  size_t next(std::string_view word, size_t begin, IsUnknown is_unknown) const {
    size_t position = begin;
    char32_t left = next_code_point(word, position);
    while (position < word.size()) {
      const size_t cut = position;
      const char32_t right = next_code_point(word, position);
      if (!holds(left, right) && !(is_unknown(left) && is_unknown(right))) return cut;
      left = right;
    }
    return word.size();
  }

 private:
  static constexpr char32_t kAscii = 0x80;

  void add_token(std::string_view token) {
    if (token.empty()) return;
    size_t position = 0;
    char32_t left = next_code_point(token, position);
    while (position < token.size()) {
      const char32_t right = next_code_point(token, position);
      if (left < kAscii && right < kAscii)
        ascii_.set(left * kAscii + right);
      else
        others_.insert(static_cast<uint64_t>(left) << 32 | right);
      left = right;
    }
  }

  bool holds(char32_t left, char32_t right) const {
    if (left < kAscii && right < kAscii) return ascii_.test(left * kAscii + right);
    return others_.contains(static_cast<uint64_t>(left) << 32 | right);
  }

  std::bitset<kAscii * kAscii> ascii_;
  std::unordered_set<uint64_t> others_;
};

}  // namespace air
