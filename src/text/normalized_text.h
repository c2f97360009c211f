// A text after normalization that still knows where in the original each of its bytes comes from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace air {

/// What a normalizer makes of one character, as the `tokenizers` package counts it.
struct CharChange {
  char32_t code_point = 0;
  /// 0: replaces the next old character; -n: so, and n more old ones go; > 0: is new, and stands
  /// where the character before it stood.
  int change = 0;
};

/// Text and, byte by byte, the place of the original character that it stands for. Unchanged text
/// costs no table.
class NormalizedText {
 public:
  /// @param begin where this text begins in the original.
  NormalizedText(std::string_view text, int64_t begin)
      : text_(text), begin_(begin), max_size_(kMaxGrowth * text.size() + kMaxGrown) {}

  std::string_view text() const { return text_; }
  /// Where in the original the text itself begins.
  int64_t begin() const { return begin_; }
  /// First byte in the original of the character that byte i of the text belongs to.
  int64_t origin(size_t i) const;

  /// Replaces the whole text by other characters.
  void transform(const std::vector<CharChange>& characters);
  /// Puts `prefix` before each of the characters that begin at `places` (rising); it stands where
  /// that character stands. @throws Error(kModel) when the text would grow out of all measure:
  /// rules that each double it would fill the memory.
  void insert_before(const std::vector<size_t>& places, std::string_view prefix);
  /// Replaces each span by `content`, which stands where the last character of the span stood.
  /// @param spans not empty, in rising order, apart from each other.
  /// @throws Error(kModel) as insert_before().
  void replace_all(const std::vector<std::pair<size_t, size_t>>& spans, std::string_view content);
  /// [begin, end) of it as a text of its own.
  NormalizedText part(size_t begin, size_t end) const;

 private:
  // No normal form makes more than 18 characters of one.
  static constexpr size_t kMaxGrowth = 64, kMaxGrown = 1 << 20;
  class Rebuild;
  void ensure_origins();

  std::string text_;
  int64_t begin_;
  size_t max_size_;               // bytes
  std::vector<int64_t> origins_;  // [text_.size()], or empty: byte i comes from begin_ + i
};

}  // namespace air
