// The unigram language model: of all ways to cut a word into pieces, the most probable.
#pragma once

#include <rapidjson/fwd.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "text/byte_trie.h"
#include "text/token_model.h"

namespace air {

/// The Unigram model of a tokenizer.json. Source: Kudo 2018, arXiv:1804.10959; unknown characters
/// cost 10 more than the rarest piece and are fused, as in the `tokenizers` package.
class Unigram : public TokenModel {
 public:
  /// @throws Error(kModel) for options that are not known and for a vocabulary that is not a list
  /// of
  ///   [piece, score].
  Unigram(const rapidjson::Value& model, const std::string& where);

  /// Viterbi: linear in the word for a given vocabulary.
  void encode_word(std::string_view word, std::vector<Piece>& out) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::string describe() const override { return "Unigram"; }

 private:
  void read_vocabulary(const rapidjson::Value& vocab, const std::string& where);
  std::vector<uint32_t> best_cuts(std::string_view word, std::vector<bool>& unknown) const;
  void append_unknown(std::string_view text, uint32_t begin, std::vector<Piece>& out) const;

  Vocabulary vocabulary_;
  ByteTrie trie_;
  std::vector<double> scores_;  // log probability by id
  double unk_score_ = 0;
  std::optional<int32_t> unk_id_;
  bool byte_fallback_ = false;
  std::array<int32_t, 256> byte_ids_{};
};

}  // namespace air
