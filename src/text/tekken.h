// tekken.json, Mistral's own tokenizer format: byte-level BPE without merges, as ranks of tokens.
#pragma once

#include <string>

namespace air {

/// The same tokenizer as the text of a tokenizer.json, as transformers converts it: a special
/// token's id is its rank, a token's its rank after them all.
/// @param json the file's text, used up while it is read   @param where the file, for messages
/// @throws Error(kModel) that names the part that is missing, wrong or not known.
std::string tekken_as_tokenizer_json(std::string json, const std::string& where);

}  // namespace air
