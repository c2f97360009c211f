// The tokenizer of a tokenizer.model, for folders without a tokenizer.json: SentencePiece's own
// library.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/tokenizer.h"

namespace air {

/// SentencePiece between added tokens, as transformers' Llama and Gemma tokenizers run it. Special
/// and added tokens come from tokenizer_config.json and added_tokens.json; without these files,
/// from the model's control pieces.
class SentencePieceTokenizer : public Tokenizer {
 public:
  /// @throws Error(kModel) naming a file that can't be read, or a tokenizer class or option that is
  ///   not known.
  explicit SentencePieceTokenizer(const std::filesystem::path& folder);
  ~SentencePieceTokenizer() override;

  Encoding encode(std::string_view text, bool add_special_tokens) const override;
  int64_t vocab_size() const override;
  std::optional<int32_t> token_to_id(std::string_view token) const override;
  std::string id_to_token(int32_t id) const override;
  std::string describe() const override;

 private:
  struct Processor;
  void read_config(const std::filesystem::path& folder);
  void encode_section(std::string_view text, int64_t begin, Encoding& out) const;

  std::unique_ptr<Processor> processor_;
  AddedTokens added_tokens_;
  std::vector<int32_t> before_, after_;  // special tokens around a text
};

}  // namespace air
