#include "text/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <map>
#include <new>
#include <string>

#include "base/json.h"
#include "text/config_tokens.h"
#include "text/utf8.h"

// Both libsentencepiece and libtorch's libc10 export a variable of this name: there it is an object
// of 32 bytes, here an int. The dynamic linker makes them one; in libc10's place the larger one
// overwrites its neighbours, and the first failed allocation aborts the process. The linker looks
// here first, and here is room. Weak, for where SentencePiece is linked as an archive.
[[gnu::weak, gnu::used,
  gnu::visibility("default")]] alignas(64) std::array<std::byte, 256> FLAGS_minloglevel{};

namespace air {

struct SentencePieceTokenizer::Processor : sentencepiece::SentencePieceProcessor {
  /// The id of exactly this piece; the library gives the unknown piece's for any other.
  std::optional<int32_t> find(std::string_view piece) const {
    const int id = PieceToId(piece);
    return id >= 0 && IdToPiece(id) == piece ? std::optional<int32_t>(id) : std::nullopt;
  }
};

namespace {

// Classes of transformers that run SentencePiece as this class does.
constexpr std::array<std::string_view, 6> kKnownClasses{
    "LlamaTokenizer",         "LlamaTokenizerFast", "CodeLlamaTokenizer",
    "CodeLlamaTokenizerFast", "GemmaTokenizer",     "GemmaTokenizerFast"};

void load(sentencepiece::SentencePieceProcessor& processor, const std::string& bytes,
          const std::string& where) {
  std::string failure;
  try {
    const auto status = processor.LoadFromSerializedProto(bytes);
    if (status.ok()) return;
    failure = status.ToString();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {  // its trie's: a piece that begins with a zero byte
    failure = e.what();
  }
  throw Error(ErrorKind::kModel, where, "not a SentencePiece model: " + failure);
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(const std::filesystem::path& folder)
    : processor_(std::make_unique<Processor>()) {
  const std::filesystem::path model = folder / "tokenizer.model";
  load(*processor_, read_model_file(model), model.string());
  read_config(folder);
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

void SentencePieceTokenizer::read_config(const std::filesystem::path& folder) {
  const std::string where = (folder / "tokenizer_config.json").string();
  const Json config = read_config_object(where);
  const std::string name = token_content(config, "tokenizer_class").value_or("LlamaTokenizer");
  if (std::find(kKnownClasses.begin(), kKnownClasses.end(), name) == kKnownClasses.end())
    throw Error(ErrorKind::kModel, where,
                "the tokenizer class \"" + name + "\" is not known to air without a tokenizer.json",
                "transformers writes one: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)");
  if (!config_flag(config, "legacy", true, where))
    throw Error(ErrorKind::kModel, where,
                "\"legacy\": false is not known to air without a tokenizer.json",
                "transformers writes one: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)");

  // Added tokens by content.
  std::map<std::string, AddedToken> tokens;
  const ConfigTokens added = read_config_tokens(folder);
  for (AddedToken token : added.listed) {
    token.normalized = false;  // nothing normalizes here before SentencePiece itself
    tokens.emplace(token.content, token);
  }
  const auto add_piece = [&](const std::string& content) {
    if (tokens.contains(content)) return;
    const auto id = processor_->find(content);
    if (!id)
      throw Error(ErrorKind::kModel, where,
                  "the special token \"" + content + "\" is not in the vocabulary");
    AddedToken token;
    token.id = *id;
    token.content = content;
    tokens.emplace(content, token);
  };
  for (int id = 0; id < processor_->GetPieceSize(); ++id)
    if (processor_->IsControl(id) || processor_->IsUnknown(id))
      add_piece(processor_->IdToPiece(id));
  for (const AddedToken& token : added.special) add_piece(token.content);

  std::vector<AddedToken> list;
  for (auto& [content, token] : tokens) list.push_back(std::move(token));
  added_tokens_ = AddedTokens(std::move(list), nullptr);
  const auto special = [&](const char* key, int model_id) {
    const auto content = token_content(config, key);
    return content ? token_to_id(*content).value_or(-1) : model_id;
  };
  const int32_t bos = special("bos_token", processor_->bos_id()),
                eos = special("eos_token", processor_->eos_id());
  if (config_flag(config, "add_bos_token", true, where) && bos >= 0) before_.push_back(bos);
  if (config_flag(config, "add_eos_token", false, where) && eos >= 0) after_.push_back(eos);
}

Encoding SentencePieceTokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (const auto invalid = first_invalid_utf8(text))
    throw Error(ErrorKind::kInput, "", "invalid UTF-8 at byte " + std::to_string(*invalid));
  Encoding out;
  const auto add_special = [&](const std::vector<int32_t>& ids) {
    if (!add_special_tokens) return;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.begin.resize(out.ids.size(), -1);
  };
  add_special(before_);
  for (const Section& section : added_tokens_.raw().split(text)) {
    if (section.id < 0) {
      encode_section(text.substr(section.begin, section.end - section.begin),
                     static_cast<int64_t>(section.begin), out);
    } else {
      out.ids.push_back(section.id);
      out.begin.push_back(static_cast<int64_t>(section.begin));
    }
  }
  add_special(after_);
  return out;
}

void SentencePieceTokenizer::encode_section(std::string_view text, int64_t begin,
                                            Encoding& out) const {
  const auto pieces = processor_->EncodeAsImmutableProto(text);
  for (size_t i = 0; i < pieces.pieces_size(); ++i) {
    const auto piece = pieces.pieces(static_cast<int>(i));
    out.ids.push_back(static_cast<int32_t>(piece.id()));
    out.begin.push_back(begin + static_cast<int64_t>(piece.begin()));
  }
}

int64_t SentencePieceTokenizer::vocab_size() const {
  return std::max<int64_t>(processor_->GetPieceSize(), added_tokens_.end_id());
}

std::optional<int32_t> SentencePieceTokenizer::token_to_id(std::string_view token) const {
  const auto added = added_tokens_.find(token);
  return added ? added : processor_->find(token);
}

std::string SentencePieceTokenizer::id_to_token(int32_t id) const {
  const std::string_view added = added_tokens_.token(id);
  if (!added.empty()) return std::string(added);
  return id >= 0 && id < processor_->GetPieceSize() ? processor_->IdToPiece(id) : std::string();
}

std::string SentencePieceTokenizer::describe() const {
  return "SentencePiece, " + std::to_string(vocab_size()) + " tokens";
}

}  // namespace air
