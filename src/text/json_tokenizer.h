// The tokenizer of a tokenizer.json, the format of the `tokenizers` package.
#pragma once

#include <memory>
#include <string>

#include "text/added_tokens.h"
#include "text/config_tokens.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"
#include "text/token_model.h"
#include "text/tokenizer.h"

namespace air {

/// Added tokens, normalizer, pre-tokenizer, model, special tokens: in this order. `truncation` and
/// `padding` of the file are not applied, and `decoder` is not needed.
class JsonTokenizer : public Tokenizer {
 public:
  /// @param json the file's text, used up while it is read.   @param where the file, for messages.
  /// @param config tokens that tokenizer_config.json adds.
  /// @throws Error(kModel) that names the part that is missing, wrong or not known.
  JsonTokenizer(std::string json, const std::string& where, const ConfigTokens& config = {});

  Encoding encode(std::string_view text, bool add_special_tokens) const override;
  int64_t vocab_size() const override;
  std::optional<int32_t> token_to_id(std::string_view token) const override;
  std::string id_to_token(int32_t id) const override;
  std::string describe() const override;

 private:
  void encode_section(std::string_view text, int64_t begin, Encoding& out) const;
  void encode_text(NormalizedText text, Encoding& out) const;

  std::unique_ptr<Normalizer> normalizer_;       // may be null
  std::unique_ptr<PreTokenizer> pre_tokenizer_;  // may be null
  std::unique_ptr<TokenModel> model_;
  AddedTokens added_tokens_;
  SpecialTokens special_tokens_;
};

}  // namespace air
