#include "text/unigram.h"

#include <algorithm>
#include <limits>

#include "text/byte_alphabet.h"
#include "text/json_part.h"
#include "text/utf8.h"

namespace air {

namespace {

using json_part::Value;

constexpr double kUnknownPenalty = 10.0;

}  // namespace

Unigram::Unigram(const Value& model, const std::string& where) {
  using namespace json_part;
  check_keys(model, {"type", "unk_id", "vocab", "byte_fallback"}, where);
  read_vocabulary(get_array(model, "vocab", where), where + ".vocab");
  byte_fallback_ = get_bool(model, "byte_fallback", false, where);
  if (const Value* id = find(model, "unk_id")) {
    if (!id->IsInt() || id->GetInt() < 0 || id->GetInt() >= vocabulary_.size())
      fail(where + ".unk_id", "is not a token id");
    unk_id_ = id->GetInt();
  }
  for (unsigned byte = 0; byte < 256; ++byte)
    byte_ids_[byte] =
        vocabulary_.find(byte_fallback_token(static_cast<unsigned char>(byte))).value_or(-1);
}

void Unigram::read_vocabulary(const Value& vocab, const std::string& where) {
  using namespace json_part;
  vocabulary_ = Vocabulary(vocab.Size());
  double min_score = std::numeric_limits<double>::infinity();
  for (const Value& item : vocab.GetArray()) {
    if (!item.IsArray() || item.Size() != 2 || !item[1].IsNumber())
      fail(where, "must hold pairs [piece, score]");
    const std::string_view piece = as_string(item[0], where);
    const auto id = static_cast<int32_t>(scores_.size());
    if (!vocabulary_.add(piece, id))
      fail(where, "the piece \"" + std::string(piece) + "\" appears twice");
    trie_.add(piece, id);
    scores_.push_back(item[1].GetDouble());
    min_score = std::min(min_score, scores_.back());
  }
  unk_score_ = min_score - kUnknownPenalty;
}

/// Beginnings of the best pieces, the last first; `unknown` says of each whether it is a character
/// without a piece.
std::vector<uint32_t> Unigram::best_cuts(std::string_view word, std::vector<bool>& unknown) const {
  struct Node {
    double score = 0;
    uint32_t begin = UINT32_MAX;  // of the best piece that ends here
    bool unknown = false;
  };
  std::vector<Node> nodes(word.size() + 1);
  const auto offer = [&](size_t end, double score, size_t begin, bool is_unknown) {
    Node& node = nodes[end];
    if (node.begin == UINT32_MAX || score > node.score)
      node = {score, static_cast<uint32_t>(begin), is_unknown};
  };
  for (size_t i = 0; i < word.size();) {
    const size_t length = utf8_length(word[i]);
    const double here = nodes[i].score;
    bool has_single = false;
    trie_.for_each_prefix(word.substr(i), [&](size_t size, int32_t id) {
      offer(i + size, scores_[static_cast<size_t>(id)] + here, i, false);
      has_single = has_single || size == length;
    });
    if (!has_single) offer(i + length, unk_score_ + here, i, true);
    i += length;
  }
  std::vector<uint32_t> cuts;
  for (size_t end = word.size(); end > 0; end = nodes[end].begin) {
    cuts.push_back(nodes[end].begin);
    unknown.push_back(nodes[end].unknown);
  }
  return cuts;
}

void Unigram::encode_word(std::string_view word, std::vector<Piece>& out) const {
  std::vector<bool> unknown;
  const std::vector<uint32_t> cuts = best_cuts(word, unknown);
  for (size_t i = cuts.size(); i > 0;) {
    const uint32_t begin = cuts[--i];
    const bool is_unknown = unknown[i];
    while (is_unknown && i > 0 && unknown[i - 1]) --i;  // unknown characters are fused
    const std::string_view piece = word.substr(begin, (i > 0 ? cuts[i - 1] : word.size()) - begin);
    if (const auto id = vocabulary_.find(piece))
      out.push_back({*id, begin});
    else
      append_unknown(piece, begin, out);
  }
}

void Unigram::append_unknown(std::string_view text, uint32_t begin, std::vector<Piece>& out) const {
  const auto has_token = [&](char byte) {
    return byte_ids_[static_cast<unsigned char>(byte)] >= 0;
  };
  if (byte_fallback_ && std::all_of(text.begin(), text.end(), has_token)) {
    for (const char byte : text)
      out.push_back({byte_ids_[static_cast<unsigned char>(byte)], begin});
    return;
  }
  if (!unk_id_)
    throw Error(ErrorKind::kInput, "",
                "the tokenizer has no token for \"" + std::string(text) + "\" and no unk_id");
  out.push_back({*unk_id_, begin});
}

}  // namespace air
