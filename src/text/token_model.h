// The model of a tokenizer: what cuts one word into tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace air {

/// A token of a word.
struct Piece {
  int32_t id = 0;
  uint32_t begin = 0;  ///< its first byte in the word
};

/// Words to tokens. Thread-safe.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  /// Appends the tokens of a word of valid UTF-8.
  virtual void encode_word(std::string_view word, std::vector<Piece>& out) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  /// "BPE, byte-level".
  virtual std::string describe() const = 0;
};

}  // namespace air
