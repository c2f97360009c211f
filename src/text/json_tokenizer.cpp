#include "text/json_tokenizer.h"

#include <algorithm>

#include "text/bpe.h"
#include "text/json_part.h"
#include "text/unigram.h"
#include "text/utf8.h"

namespace air {

namespace {

using json_part::Value;

std::unique_ptr<TokenModel> make_model(const Value& json, bool byte_level,
                                       const std::string& where) {
  using namespace json_part;
  if (!json.IsObject()) fail(where, "must be an object");
  // Old files leave the type out; only BPE has merges.
  const std::string type(find(json, "type")     ? get_string(json, "type", where)
                         : find(json, "merges") ? "BPE"
                                                : "");
  if (type == "Unigram") {
    if (byte_level) fail(where, "Unigram after the pre-tokenizer ByteLevel is not known to air");
    return std::make_unique<Unigram>(json, where + " Unigram");
  }
  if (type == "BPE") return std::make_unique<Bpe>(json, byte_level, where + " BPE");
  fail(where, type.empty() ? "has no \"type\"" : "the model \"" + type + "\" is not known to air");
}

/// The member, or JSON null when it is absent.
const Value& member_or_null(const Value& object, const char* key) {
  static const Value null;
  const Value* value = json_part::find(object, key);
  return value ? *value : null;
}

}  // namespace

JsonTokenizer::JsonTokenizer(std::string json, const std::string& where,
                             const ConfigTokens& config) {
  using namespace json_part;
  if (const auto invalid = first_invalid_utf8(json))
    fail(where, "not valid UTF-8 at byte " + std::to_string(*invalid));
  const rapidjson::Document file = parse_file(json, where);
  check_keys(file,
             {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
              "post_processor", "decoder", "model"},
             where);
  normalizer_ = make_normalizer(member_or_null(file, "normalizer"), where + ": normalizer");
  pre_tokenizer_ =
      make_pre_tokenizer(member_or_null(file, "pre_tokenizer"), where + ": pre_tokenizer");
  model_ = make_model(get(file, "model", where), pre_tokenizer_ && pre_tokenizer_->is_byte_level(),
                      where + ": model");
  std::vector<AddedToken> added = read_added_tokens(member_or_null(file, "added_tokens"),
                                                    model_->vocabulary(), where + ": added_tokens");
  merge_config_tokens(added, config, model_->vocabulary());
  added_tokens_ = AddedTokens(std::move(added), normalizer_.get());
  special_tokens_ =
      read_post_processor(member_or_null(file, "post_processor"), where + ": post_processor");
}

Encoding JsonTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (const auto invalid = first_invalid_utf8(text))
    throw Error(ErrorKind::kInput, "", "invalid UTF-8 at byte " + std::to_string(*invalid));
  Encoding out;
  out.ids.reserve(text.size() / 3 + 8);
  out.begin.reserve(text.size() / 3 + 8);
  const auto add_special = [&](const std::vector<int32_t>& ids) {
    if (!add_special_tokens) return;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.begin.resize(out.ids.size(), -1);
  };
  add_special(special_tokens_.before);
  for (const Section& section : added_tokens_.raw().split(text)) {
    if (section.id < 0) {
      encode_section(text.substr(section.begin, section.end - section.begin),
                     static_cast<int64_t>(section.begin), out);
    } else {
      out.ids.push_back(section.id);
      out.begin.push_back(static_cast<int64_t>(section.begin));
    }
  }
  add_special(special_tokens_.after);
  return out;
}

/// Text between raw added tokens: normalized, then cut at the added tokens that are looked for in
/// normalized text.
void JsonTokenizer::encode_section(std::string_view text, int64_t begin, Encoding& out) const {
  NormalizedText normalized(text, begin);
  if (normalizer_) normalizer_->apply(normalized);
  const std::vector<Section> sections = added_tokens_.normalized().split(normalized.text());
  if (sections.size() == 1 && sections[0].id < 0) return encode_text(std::move(normalized), out);
  for (const Section& section : sections) {
    if (section.id < 0) {
      encode_text(normalized.part(section.begin, section.end), out);
    } else {
      out.ids.push_back(section.id);
      out.begin.push_back(normalized.origin(section.begin));
    }
  }
}

void JsonTokenizer::encode_text(NormalizedText text, Encoding& out) const {
  std::vector<Match> words{{0, text.text().size()}};
  if (pre_tokenizer_) pre_tokenizer_->apply(text, words);
  std::vector<Piece> pieces;
  for (const Match word : words) {
    if (word.empty()) continue;
    pieces.clear();
    model_->encode_word(text.text().substr(word.begin, word.end - word.begin), pieces);
    for (const Piece& piece : pieces) {
      out.ids.push_back(piece.id);
      out.begin.push_back(text.origin(word.begin + piece.begin));
    }
  }
}

int64_t JsonTokenizer::vocab_size() const {
  return std::max(model_->vocabulary().end_id(), added_tokens_.end_id());
}

std::optional<int32_t> JsonTokenizer::token_to_id(std::string_view token) const {
  const auto added = added_tokens_.find(token);
  return added ? added : model_->vocabulary().find(token);
}

std::string JsonTokenizer::id_to_token(int32_t id) const {
  const std::string_view added = added_tokens_.token(id);
  return std::string(added.empty() ? model_->vocabulary().token(id) : added);
}

std::string JsonTokenizer::describe() const {
  return model_->describe() + ", " + std::to_string(vocab_size()) + " tokens";
}

}  // namespace air
