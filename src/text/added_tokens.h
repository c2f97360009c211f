// Added tokens: strings that are one token wherever they appear, found before the text is cut into
// words.
#pragma once

#include <rapidjson/fwd.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_trie.h"
#include "text/normalizer.h"
#include "text/vocabulary.h"

namespace air {

/// One added token, its fields as in tokenizer.json.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  bool normalized = false;
  bool special = false;
};

/// Reads the `added_tokens` part of tokenizer.json, a list or null; a token that the vocabulary has
/// keeps the vocabulary's id. @throws Error(kModel).
std::vector<AddedToken> read_added_tokens(const rapidjson::Value& json,
                                          const Vocabulary& vocabulary, const std::string& where);

/// A stretch of text: an added token, or text between such.
struct Section {
  size_t begin = 0;
  size_t end = 0;
  int32_t id = -1;  ///< of the token; -1: text
};

/// Finds some added tokens in a text: leftmost first, the longest of those that begin at one place.
class AddedTokenFinder {
 public:
  void add(std::string_view spelling, AddedToken token);
  bool empty() const { return tokens_.empty(); }
  /// Sections that tile the text; none is empty.
  std::vector<Section> split(std::string_view text) const;

 private:
  std::optional<Section> find(std::string_view text, size_t from) const;

  std::vector<AddedToken> tokens_;
  ByteTrie trie_;  // spelling -> index in tokens_
  std::array<bool, 256> first_bytes_{};
};

/// The added tokens of a tokenizer.
class AddedTokens {
 public:
  AddedTokens() = default;
  /// @param normalizer may be null.
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer);

  /// Tokens that are looked for in the text as it stands.
  const AddedTokenFinder& raw() const { return raw_; }
  /// Tokens that are looked for after normalization.
  const AddedTokenFinder& normalized() const { return normalized_; }
  std::optional<int32_t> find(std::string_view content) const;
  /// Empty when no added token has this id.
  std::string_view token(int32_t id) const;
  /// Largest id + 1; 0 when there are none.
  int64_t end_id() const { return by_id_.empty() ? 0 : by_id_.rbegin()->first + 1; }

 private:
  AddedTokenFinder raw_, normalized_;
  std::map<std::string, int32_t, std::less<>> by_content_;
  std::map<int32_t, std::string> by_id_;
};

}  // namespace air
