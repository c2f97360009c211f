// Added tokens of the files beside the vocabulary: tokenizer_config.json and its older companions.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/vocabulary.h"

namespace air {

/// What tokenizer_config.json says of added tokens. Without `added_tokens_decoder` the older files
/// special_tokens_map.json and added_tokens.json are read, as transformers does.
struct ConfigTokens {
  std::vector<AddedToken> listed;  ///< `added_tokens_decoder` or added_tokens.json, by id
  /// Special tokens by name (`bos_token` …), then `extra_special_tokens`; they have no id here.
  std::vector<AddedToken> special;
};

/// @throws Error(kModel) that names the file and the token. Missing files hold nothing.
ConfigTokens read_config_tokens(const std::filesystem::path& folder);

/// Adds to the tokens of tokenizer.json those that only the config has, as AutoTokenizer does: a
/// listed one replaces a token of the same spelling, a special one is added when its spelling is
/// not there. A token keeps the id that it has; a new one takes the next free id, whatever the
/// config says.
void merge_config_tokens(std::vector<AddedToken>& tokens, const ConfigTokens& config,
                         const Vocabulary& vocabulary);

/// FOLDER/NAME as a JSON object; empty when the file is missing. @throws Error(kModel).
Json read_config_object(const std::filesystem::path& path);

/// A token in a config: a string, or an object with a content.
std::optional<std::string> token_content(const Json& config, const char* key);

/// A boolean of a config; `otherwise` when it is missing or null. @throws Error(kModel).
bool config_flag(const Json& config, const char* key, bool otherwise, const std::string& where);

}  // namespace air
