// Pre-tokenizers of a tokenizer.json: where a text is cut into words before the model sees it.
#pragma once

#include <rapidjson/fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "text/normalized_text.h"
#include "text/regex.h"

namespace air {

/// Cuts words, spans of a text in rising order, into smaller ones; may change the text's characters
/// too. Thread-safe.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  /// @param words spans of bytes; empty ones may come out.
  virtual void apply(NormalizedText& text, std::vector<Match>& words) const = 0;
  /// True when the model's vocabulary spells bytes, not characters.
  virtual bool is_byte_level() const { return false; }
};

/// Reads the `pre_tokenizer` part; null JSON gives a null pointer. Known: Split, Digits, ByteLevel,
/// Metaspace, Whitespace, WhitespaceSplit, Punctuation, Sequence. @throws Error(kModel) that names
/// another type, key or value.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const rapidjson::Value& json,
                                                 const std::string& where);

}  // namespace air
