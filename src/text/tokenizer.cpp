#include "text/tokenizer.h"

#include "base/json.h"
#include "text/config_tokens.h"
#include "text/json_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/tekken.h"

namespace air {

void require_ids_of_model(std::span<const int32_t> ids, int64_t model_vocab_size,
                          const Tokenizer& tokenizer, ErrorKind kind) {
  for (const int32_t id : ids) {
    if (id >= 0 && id < model_vocab_size) continue;
    const std::string token = tokenizer.id_to_token(id);
    throw Error(kind, "",
                "the model has no token " + std::to_string(id) +
                    (token.empty() ? "" : " (\"" + token + "\")") + ": its vocabulary ends at " +
                    std::to_string(model_vocab_size - 1) + ", and its tokenizer is " +
                    tokenizer.describe(),
                "tokenizer and weights may not belong together, or tokens were added to one alone");
  }
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path json = folder / "tokenizer.json";
  if (std::filesystem::exists(json))
    return std::make_unique<JsonTokenizer>(read_model_file(json), json.string(),
                                           read_config_tokens(folder));
  if (std::filesystem::exists(folder / "tokenizer.model"))
    return std::make_unique<SentencePieceTokenizer>(folder);
  const std::filesystem::path tekken = folder / "tekken.json";
  if (std::filesystem::exists(tekken)) {
    const std::string where = tekken.string();
    return std::make_unique<JsonTokenizer>(tekken_as_tokenizer_json(read_model_file(tekken), where),
                                           where, read_config_tokens(folder));
  }
  throw Error(ErrorKind::kModel, folder.string(),
              "has no tokenizer: no tokenizer.json, tokenizer.model or tekken.json",
              "--model takes a folder as downloaded from Hugging Face, with its tokenizer files");
}

}  // namespace air
