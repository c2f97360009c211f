#include "text/added_tokens.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "text/json_part.h"
#include "text/utf8.h"

namespace air {

namespace {

using json_part::Value;

/// \w by its Unicode definition.
bool is_word_character(char32_t c) {
  const auto icu = static_cast<UChar32>(c);
  return u_hasBinaryProperty(icu, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(icu, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(icu) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

bool is_single_word(std::string_view text, Section found) {
  size_t before = found.begin, after = found.end;
  if (before > 0 && is_word_character(previous_code_point(text, before))) return false;
  return after == text.size() || !is_word_character(next_code_point(text, after));
}

size_t skip_space_backwards(std::string_view text, size_t begin, size_t limit) {
  for (size_t i = begin; i > limit && is_white_space(previous_code_point(text, i));) begin = i;
  return begin;
}

size_t skip_space(std::string_view text, size_t end) {
  for (size_t i = end; i < text.size() && is_white_space(next_code_point(text, i));) end = i;
  return end;
}

}  // namespace

void AddedTokenFinder::add(std::string_view spelling, AddedToken token) {
  // Of two tokens that are spelled alike, the first is found.
  if (!trie_.add(spelling, static_cast<int32_t>(tokens_.size()))) return;
  first_bytes_[static_cast<unsigned char>(spelling[0])] = true;
  tokens_.push_back(std::move(token));
}

/// The match as it stands in the text; id is the index of the token here.
std::optional<Section> AddedTokenFinder::find(std::string_view text, size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!first_bytes_[static_cast<unsigned char>(text[begin])]) continue;
    Section longest{begin, begin, -1};
    trie_.for_each_prefix(text.substr(begin), [&](size_t length, int32_t token) {
      longest = {begin, begin + length, token};
    });
    if (longest.id >= 0) return longest;
  }
  return std::nullopt;
}

std::vector<Section> AddedTokenFinder::split(std::string_view text) const {
  std::vector<Section> out;
  size_t done = 0;
  std::optional<Section> found;
  for (size_t from = 0; !empty() && (found = find(text, from)); from = found->end) {
    const AddedToken& token = tokens_[static_cast<size_t>(found->id)];
    if (token.single_word && !is_single_word(text, *found)) continue;
    const size_t begin = std::max(
        done, token.lstrip ? skip_space_backwards(text, found->begin, done) : found->begin);
    const size_t end = token.rstrip ? skip_space(text, found->end) : found->end;
    if (begin > done) out.push_back({done, begin, -1});
    if (end > begin) out.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) out.push_back({done, text.size(), -1});
  return out;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer) {
  for (AddedToken& token : tokens) {
    by_content_.emplace(token.content, token.id);
    by_id_.emplace(token.id, token.content);
    if (!token.normalized) {
      const std::string spelling = token.content;
      raw_.add(spelling, std::move(token));
      continue;
    }
    NormalizedText spelling(token.content, 0);
    if (normalizer) normalizer->apply(spelling);
    normalized_.add(spelling.text(), std::move(token));
  }
}

std::vector<AddedToken> read_added_tokens(const Value& json, const Vocabulary& vocabulary,
                                          const std::string& where) {
  using namespace json_part;
  std::vector<AddedToken> tokens;
  if (json.IsNull()) return tokens;
  if (!json.IsArray()) fail(where, "must be a list");
  for (const Value& item : json.GetArray()) {
    if (!item.IsObject()) fail(where, "must hold objects");
    check_keys(item, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"},
               where);
    AddedToken token;
    token.content = get_string(item, "content", where);
    const Value& id = get(item, "id", where);
    if (!id.IsInt() || id.GetInt() < 0 || id.GetInt() >= kMaxTokenId)
      fail(where, "the id of \"" + token.content + "\" is not a token id");
    token.id = vocabulary.find(token.content).value_or(id.GetInt());
    token.single_word = get_bool(item, "single_word", false, where);
    token.lstrip = get_bool(item, "lstrip", false, where);
    token.rstrip = get_bool(item, "rstrip", false, where);
    token.special = get_bool(item, "special", false, where);
    token.normalized = get_bool(item, "normalized", !token.special, where);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

std::optional<int32_t> AddedTokens::find(std::string_view content) const {
  const auto it = by_content_.find(content);
  return it == by_content_.end() ? std::nullopt : std::optional<int32_t>(it->second);
}

std::string_view AddedTokens::token(int32_t id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? std::string_view() : std::string_view(it->second);
}

}  // namespace air
