#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "text/byte_alphabet.h"
#include "text/json_part.h"
#include "text/safe_cuts.h"
#include "text/utf8.h"

namespace air {

namespace {

using json_part::Value;

constexpr size_t kFewSymbols = 32;  // up to here a scan for the best pair beats a heap
constexpr char32_t kTableEnd = 0x10000;

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

/// Where the vocabulary lacks a byte, `tokenizers` drops it and counts the places of the word's
/// other bytes, in their spelling, as if it were not there. Its places are kept, so that both can
/// be compared.
void shift_like_tokenizers(std::string_view word, std::vector<Piece>& symbols) {
  const auto spelled_size = [&](size_t i) {
    return static_cast<uint32_t>(byte_level_character(static_cast<unsigned char>(word[i])).size());
  };
  uint32_t kept = 0, byte = 0, byte_end = spelled_size(0);  // ends in the spelled word
  for (Piece& symbol : symbols) {
    const uint32_t size = spelled_size(symbol.begin);
    while (byte_end <= kept) byte_end += spelled_size(++byte);
    symbol.begin = byte;
    kept += size;
  }
}

}  // namespace

MergeTable::MergeTable(size_t expected) : slots_(std::bit_ceil(2 * expected + 16)) {}

size_t MergeTable::slot_of(uint64_t pair) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = (pair * 0x9e3779b97f4a7c15ULL) >> 20 & mask;
  while (slots_[slot].pair != kFree && slots_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

void MergeTable::set(int32_t left, int32_t right, Merge merge) {
  const uint64_t pair = pair_key(left, right);
  slots_[slot_of(pair)] = {pair, merge};
}

MergeTable::Merge MergeTable::find(int32_t left, int32_t right) const {
  return slots_[slot_of(pair_key(left, right))].merge;
}

Bpe::Bpe(const Value& model, bool byte_level, const std::string& where) : byte_level_(byte_level) {
  using namespace json_part;
  check_keys(model,
             {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
              "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"},
             where);
  if (const Value* dropout = find(model, "dropout");
      dropout && !(dropout->IsNumber() && dropout->GetDouble() == 0))
    fail(where, "dropout makes the tokens random: air can't use it");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (find(model, key) && !get_string(model, key, where).empty())
      fail(where, std::string("the key \"") + key + "\" is not known to air");
  byte_fallback_ = get_bool(model, "byte_fallback", false, where);
  fuse_unk_ = get_bool(model, "fuse_unk", false, where);
  ignore_merges_ = get_bool(model, "ignore_merges", false, where);
  read_vocabulary(get(model, "vocab", where), where + ".vocab");
  read_merges(get_array(model, "merges", where), where + ".merges");
  if (find(model, "unk_token")) {
    const std::string_view unk = get_string(model, "unk_token", where);
    unk_id_ = vocabulary_.find(unk);
    if (!unk_id_) fail(where, "unk_token \"" + std::string(unk) + "\" is not in the vocabulary");
  }
  index_symbols();
  find_safe_cuts();
}

Bpe::~Bpe() = default;

void Bpe::read_vocabulary(const Value& vocab, const std::string& where) {
  using namespace json_part;
  if (!vocab.IsObject()) fail(where, "must be an object");
  vocabulary_ = Vocabulary(vocab.MemberCount());
  for (const auto& member : vocab.GetObject()) {
    const std::string_view token(member.name.GetString(), member.name.GetStringLength());
    const Value& id = member.value;
    if (!id.IsInt() || id.GetInt() < 0 || id.GetInt() >= kMaxTokenId)
      fail(where, "the id of \"" + std::string(token) + "\" is not a token id");
    if (!vocabulary_.add(token, id.GetInt()))
      fail(where, "\"" + std::string(token) + "\" or its id " + std::to_string(id.GetInt()) +
                      " appears twice");
  }
}

void Bpe::read_merges(const Value& merges, const std::string& where) {
  using namespace json_part;
  merges_ = MergeTable(merges.Size());
  std::string joined;
  uint32_t rank = 0;
  for (const Value& merge : merges.GetArray()) {
    std::string_view left, right;
    if (merge.IsArray() && merge.Size() == 2) {
      left = as_string(merge[0], where);
      right = as_string(merge[1], where);
    } else {  // the older spelling "left right"
      const std::string_view both = as_string(merge, where);
      const size_t space = both.find(' ');
      if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos)
        fail(where, "\"" + std::string(both) + "\" is not a pair");
      left = both.substr(0, space);
      right = both.substr(space + 1);
    }
    joined.assign(left).append(right);
    const auto left_id = vocabulary_.find(left), right_id = vocabulary_.find(right),
               id = vocabulary_.find(joined);
    if (!left_id || !right_id || !id)
      fail(where, "the merge of \"" + std::string(left) + "\" and \"" + std::string(right) +
                      "\" has a token that is not in the vocabulary");
    merges_.set(*left_id, *right_id, {rank++, *id});
  }
}

void Bpe::index_symbols() {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto value = static_cast<unsigned char>(byte);
    byte_ids_[byte] = (byte_level_ ? vocabulary_.find(byte_level_character(value))
                                   : vocabulary_.find(byte_fallback_token(value)))
                          .value_or(-1);
  }
  if (byte_level_) return;
  character_ids_.assign(kTableEnd, -1);
  for (int32_t id = 0; id < vocabulary_.end_id(); ++id) {
    const std::string_view token = vocabulary_.token(id);
    if (token.empty() || utf8_length(token[0]) != token.size()) continue;
    size_t position = 0;
    const char32_t c = next_code_point(token, position);
    if (c < kTableEnd) character_ids_[c] = id;
  }
}

/// Cuts are safe where tokens spell characters, no character is dropped, and the spellings of bytes
/// are never merged.
void Bpe::find_safe_cuts() {
  const bool drops_none = unk_id_ || std::all_of(byte_ids_.begin(), byte_ids_.end(),
                                                 [](int32_t id) { return id >= 0; });
  if (byte_level_ || !drops_none) return;
  std::vector<bool> is_plain(static_cast<size_t>(vocabulary_.end_id()), true);
  for (const int32_t id : byte_ids_)
    if (id >= 0) is_plain[static_cast<size_t>(id)] = false;
  if (unk_id_) is_plain[static_cast<size_t>(*unk_id_)] = false;
  const auto plain = [&](int32_t id) { return is_plain[static_cast<size_t>(id)]; };
  if (merges_.all_of(plain)) safe_cuts_ = std::make_unique<SafeCuts>(vocabulary_);
}

std::string Bpe::describe() const {
  return byte_level_ ? "BPE, byte-level" : byte_fallback_ ? "BPE, byte fallback" : "BPE";
}

std::optional<int32_t> Bpe::find_whole(std::string_view word) const {
  if (!byte_level_) return vocabulary_.find(word);
  std::string spelled;
  for (const char byte : word) spelled += byte_level_character(static_cast<unsigned char>(byte));
  return vocabulary_.find(spelled);
}

void Bpe::encode_word(std::string_view word, std::vector<Piece>& out) const {
  if (ignore_merges_) {
    if (const auto id = find_whole(word)) {
      out.push_back({*id, 0});
      return;
    }
  }
  if (!safe_cuts_) return encode_part(word, 0, out);
  const auto is_unknown = [&](char32_t c) { return character_id(c) < 0; };
  for (size_t begin = 0, end = 0; begin < word.size(); begin = end) {
    end = safe_cuts_->next(word, begin, is_unknown);
    encode_part(word.substr(begin, end - begin), static_cast<uint32_t>(begin), out);
  }
}

/// @param begin where the part begins in its word
void Bpe::encode_part(std::string_view part, uint32_t begin, std::vector<Piece>& out) const {
  thread_local std::vector<Piece> symbols;
  symbols.clear();
  split_symbols(part, symbols);
  if (symbols.size() <= kFewSymbols)
    merge_few(symbols);
  else
    merge_many(symbols);
  for (const Piece& symbol : symbols) out.push_back({symbol.id, begin + symbol.begin});
}

void Bpe::split_symbols(std::string_view word, std::vector<Piece>& symbols) const {
  if (!byte_level_) return split_characters(word, symbols);
  bool after_unk = false;
  bool dropped = false;
  for (uint32_t i = 0; i < word.size(); ++i) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(word[i])];
    dropped = dropped || (id < 0 && !unk_id_);
    if (id >= 0 || (unk_id_ && !(fuse_unk_ && after_unk)))
      symbols.push_back({id >= 0 ? id : *unk_id_, i});
    after_unk = id < 0;
  }
  if (dropped) shift_like_tokenizers(word, symbols);
}

int32_t Bpe::character_id(char32_t c) const {
  if (c < kTableEnd) return character_ids_[c];
  std::string character;
  append_utf8(character, c);
  return vocabulary_.find(character).value_or(-1);
}

void Bpe::split_characters(std::string_view word, std::vector<Piece>& symbols) const {
  bool after_unk = false;
  uint32_t place = 0;  // as above
  for (size_t i = 0; i < word.size();) {
    const std::string_view character = word.substr(i, utf8_length(word[i]));
    i += character.size();
    size_t first = 0;
    const int32_t id = character_id(next_code_point(character, first));
    const auto has_token = [&](char byte) {
      return byte_ids_[static_cast<unsigned char>(byte)] >= 0;
    };
    if (id >= 0) {
      symbols.push_back({id, place});
      after_unk = false;
    } else if (byte_fallback_ && std::all_of(character.begin(), character.end(), has_token)) {
      for (uint32_t j = 0; j < character.size(); ++j)
        symbols.push_back({byte_ids_[static_cast<unsigned char>(character[j])], place + j});
    } else if (unk_id_) {
      if (!(fuse_unk_ && after_unk)) symbols.push_back({*unk_id_, place});
      after_unk = true;
    } else {
      continue;
    }
    place += static_cast<uint32_t>(character.size());
  }
}

/// Scans for the pair of lowest rank, the leftmost of equals, until none is left.
void Bpe::merge_few(std::vector<Piece>& symbols) const {
  std::array<MergeTable::Merge, kFewSymbols> merges;
  size_t count = symbols.size();
  for (size_t i = 0; i + 1 < count; ++i) merges[i] = merges_.find(symbols[i].id, symbols[i + 1].id);
  while (count > 1) {
    const auto best =
        std::min_element(merges.begin(), merges.begin() + static_cast<std::ptrdiff_t>(count) - 1,
                         [](const auto& a, const auto& b) { return a.rank < b.rank; });
    if (best->rank == MergeTable::kNone) break;
    const auto i = static_cast<size_t>(best - merges.begin());
    symbols[i].id = best->id;
    std::copy(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 2,
              symbols.begin() + static_cast<std::ptrdiff_t>(count),
              symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    std::copy(merges.begin() + static_cast<std::ptrdiff_t>(i) + 1,
              merges.begin() + static_cast<std::ptrdiff_t>(count) - 1,
              merges.begin() + static_cast<std::ptrdiff_t>(i));
    --count;
    if (i > 0) merges[i - 1] = merges_.find(symbols[i - 1].id, symbols[i].id);
    if (i + 1 < count) merges[i] = merges_.find(symbols[i].id, symbols[i + 1].id);
  }
  symbols.resize(count);
}

/// A heap of pairs over a linked list of symbols: n log n.
void Bpe::merge_many(std::vector<Piece>& symbols) const {
  constexpr uint32_t kEnd = UINT32_MAX;
  struct Link {
    uint32_t previous, next;
    bool alive = true;
  };
  struct Candidate {
    uint32_t rank, position;
    int32_t id;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : position > other.position;
    }
  };
  const auto count = static_cast<uint32_t>(symbols.size());
  std::vector<Link> links(count);
  std::vector<Candidate> first;
  const auto candidate = [&](uint32_t left, uint32_t right) {
    const MergeTable::Merge merge = merges_.find(symbols[left].id, symbols[right].id);
    return Candidate{merge.rank, left, merge.id};
  };
  for (uint32_t i = 0; i < count; ++i) {
    links[i] = {i == 0 ? kEnd : i - 1, i + 1 == count ? kEnd : i + 1};
    if (i + 1 == count) break;
    if (const Candidate c = candidate(i, i + 1); c.rank != MergeTable::kNone) first.push_back(c);
  }
  std::priority_queue heap(std::greater<Candidate>(), std::move(first));
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    const uint32_t left = best.position;
    if (!links[left].alive || links[left].next == kEnd) continue;
    const uint32_t right = links[left].next;
    const MergeTable::Merge merge = merges_.find(symbols[left].id, symbols[right].id);
    if (merge.rank == MergeTable::kNone || merge.id != best.id)
      continue;  // the pair has changed since
    symbols[left].id = best.id;
    links[right].alive = false;
    links[left].next = links[right].next;
    if (links[left].next != kEnd) links[links[left].next].previous = left;
    const uint32_t before = links[left].previous, after = links[left].next;
    if (before != kEnd)
      if (const Candidate c = candidate(before, left); c.rank != MergeTable::kNone) heap.push(c);
    if (after != kEnd)
      if (const Candidate c = candidate(left, after); c.rank != MergeTable::kNone) heap.push(c);
  }
  size_t kept = 0;
  for (uint32_t i = 0; i < count; ++i)
    if (links[i].alive) symbols[kept++] = symbols[i];
  symbols.resize(kept);
}

}  // namespace air
