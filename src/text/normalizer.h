// Normalizers of a tokenizer.json: what happens to the characters before the text is cut into
// words.
#pragma once

#include <rapidjson/fwd.h>

#include <memory>
#include <string>

#include "text/normalized_text.h"

namespace air {

/// Changes a text in place and keeps its origins. Thread-safe.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(NormalizedText& text) const = 0;
};

/// Reads the `normalizer` part; null JSON gives a null pointer. Known: Prepend, Replace, NFC, NFD,
/// NFKC, NFKD, Strip, Lowercase, Sequence. @throws Error(kModel) that names another type or key.
std::unique_ptr<Normalizer> make_normalizer(const rapidjson::Value& json, const std::string& where);

}  // namespace air
