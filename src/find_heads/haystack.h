// The text in which a needle is hidden: plain English sentences made from a seed, or a stretch of a
// file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"

namespace air {

/// Where haystacks come from.
class Haystack {
 public:
  /// Sentences of everyday words: every probe gets its own text.
  static Haystack synthetic() { return Haystack(""); }
  /// Stretches of a text file. A short file is repeated.
  /// @throws Error(kInput) when it cannot be read, is not UTF-8 or holds no words.
  static Haystack from_file(const std::filesystem::path& path);

  /// At least `num_bytes` of text, starting with a sentence and ending with a word.
  std::string stretch(size_t num_bytes, Rng& rng) const;

 private:
  explicit Haystack(std::string text) : text_(std::move(text)) {}
  std::string text_;  ///< of the file; empty: synthetic
};

/// One synthetic sentence, with its full stop.
std::string random_sentence(Rng& rng);

/// An element of a list of words.
std::string_view pick(const std::vector<std::string_view>& words, Rng& rng);

/// `count` different elements.
std::vector<std::string_view> pick_different(std::vector<std::string_view> words, size_t count,
                                             Rng& rng);

/// Everyday words, by what they can be in a sentence.
struct WordLists {
  std::vector<std::string_view> adjectives, people, verbs, objects, prepositions, places, times,
      names, things;
};
const WordLists& word_lists();

/// Byte positions where a sentence of the text may be put: 0, after each sentence's white space,
/// and the text's size.
std::vector<size_t> sentence_starts(std::string_view text);

/// The text up to its last white space at or before `end`: no word is cut in two.
std::string_view cut_at_word(std::string_view text, size_t end);

}  // namespace air
