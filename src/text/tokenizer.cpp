#include "text/tokenizer.h"

#include "base/json.h"
#include "text/config_tokens.h"
#include "text/json_tokenizer.h"
#include "text/sentencepiece_tokenizer.h"

namespace air {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path json = folder / "tokenizer.json";
  if (std::filesystem::exists(json))
    return std::make_unique<JsonTokenizer>(read_file(json, ErrorKind::kModel), json.string(),
                                           read_config_tokens(folder));
  if (std::filesystem::exists(folder / "tokenizer.model"))
    return std::make_unique<SentencePieceTokenizer>(folder);
  throw Error(ErrorKind::kModel, folder.string(), "has neither tokenizer.json nor tokenizer.model",
              "--model takes a folder as downloaded from Hugging Face, with its tokenizer files");
}

}  // namespace air
