// Byte pair encoding: pairs of neighbouring symbols are merged, the earliest-learnt pair first.
#pragma once

#include <rapidjson/fwd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/token_model.h"

namespace air {

class SafeCuts;

/// What happens when two tokens stand side by side.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank = kNone;
    int32_t id = -1;  ///< the token that they become
  };
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit MergeTable(size_t expected = 0);
  /// A pair that is there already takes the new merge.
  void set(int32_t left, int32_t right, Merge merge);
  /// rank kNone when the pair is never merged.
  Merge find(int32_t left, int32_t right) const;
  /// True when `holds` is true for both tokens of every pair.
  template <typename Holds>
  bool all_of(Holds holds) const {
    return std::all_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
      return slot.pair == kFree || (holds(static_cast<int32_t>(slot.pair >> 32)) &&
                                    holds(static_cast<int32_t>(slot.pair)));
    });
  }

 private:
  struct Slot {
    uint64_t pair = kFree;
    Merge merge;
  };
  static constexpr uint64_t kFree = UINT64_MAX;
  size_t slot_of(uint64_t pair) const;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

/// The BPE model of a tokenizer.json, in its byte-level and its SentencePiece dialect. Source:
/// Sennrich et al. 2016, arXiv:1508.07909; the order of merges and the treatment of unknown
/// characters are those of the `tokenizers` package.
class Bpe : public TokenModel {
 public:
  /// @param byte_level words are bytes, spelled with GPT-2's alphabet in the vocabulary.
  /// @throws Error(kModel) for a merge of unknown tokens and for options that are not known.
  Bpe(const rapidjson::Value& model, bool byte_level, const std::string& where);
  ~Bpe() override;

  /// Never more than n log n for a word of n bytes.
  void encode_word(std::string_view word, std::vector<Piece>& out) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::string describe() const override;

 private:
  void read_vocabulary(const rapidjson::Value& vocab, const std::string& where);
  void read_merges(const rapidjson::Value& merges, const std::string& where);
  void index_symbols();
  void find_safe_cuts();
  void encode_part(std::string_view part, uint32_t begin, std::vector<Piece>& out) const;
  std::optional<int32_t> find_whole(std::string_view word) const;
  int32_t character_id(char32_t c) const;
  void split_symbols(std::string_view word, std::vector<Piece>& symbols) const;
  void split_characters(std::string_view word, std::vector<Piece>& symbols) const;
  void merge_few(std::vector<Piece>& symbols) const;
  void merge_many(std::vector<Piece>& symbols) const;

  bool byte_level_;
  bool byte_fallback_ = false;
  bool fuse_unk_ = false;
  bool ignore_merges_ = false;
  std::optional<int32_t> unk_id_;
  Vocabulary vocabulary_;
  MergeTable merges_;
  std::array<int32_t, 256> byte_ids_{};        // of the dialect's spelling of each byte; -1: none
  std::vector<int32_t> character_ids_;         // by code point below 0x10000; -1: none
  std::unique_ptr<const SafeCuts> safe_cuts_;  // null: words are not cut any further
};

}  // namespace air
