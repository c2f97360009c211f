// A tokenizer: text to token ids, each with the place of its first byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace air {

/// Token ids of a text.
struct Encoding {
  std::vector<int32_t> ids;
  /// First byte of each token in the text, never decreasing over the tokens that have one; -1: not
  /// in the text (BOS).
  std::vector<int64_t> begin;
};

/// Text to ids, equal to the `tokenizers` package on the same folder. Thread-safe: encode() changes
/// nothing.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// @param text valid UTF-8 (encode() checks it).
  /// @param add_special_tokens whether the post-processor's tokens (BOS and the like) are added, as
  ///   HF does by default.
  /// @throws Error(kInput) naming the byte where the text is not UTF-8.
  virtual Encoding encode(std::string_view text, bool add_special_tokens) const = 0;

  /// Largest token id + 1.
  virtual int64_t vocab_size() const = 0;
  virtual std::optional<int32_t> token_to_id(std::string_view token) const = 0;
  /// The token as the vocabulary spells it (not decoded). Empty when there is no such id.
  virtual std::string id_to_token(int32_t id) const = 0;
  /// One line for people: "BPE, byte-level, 49,152 tokens".
  virtual std::string describe() const = 0;
};

/// Holds ids against a model's vocabulary before they reach its weights: a GPU that looks for a row
/// that is not there is lost to the process.
/// @throws Error of the kind that names the first id that the model does not have, and what it is.
void require_ids_of_model(std::span<const int32_t> ids, int64_t model_vocab_size,
                          const Tokenizer& tokenizer, ErrorKind kind);

/// Opens the tokenizer of a Hugging Face folder. @throws Error(kModel) that names the file or the
/// part that is not known.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace air
