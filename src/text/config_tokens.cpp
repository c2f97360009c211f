#include "text/config_tokens.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace air {

namespace {

constexpr std::array<const char*, 7> kNamedTokens{
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
constexpr const char* kDecoder = "added_tokens_decoder";
constexpr const char* kExtra = "extra_special_tokens";

int32_t checked_id(const std::string& text, const std::string& where) {
  if (text.empty() || text.size() > 7 || text.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ErrorKind::kModel, where, "\"" + text + "\" is not a token id");
  return std::stoi(text);
}

/// A token written as an object, or as a string, which is a special one.
AddedToken token_of(const Json& item, bool special, const std::string& where) {
  AddedToken token;
  const auto content = token_content(Json{{"token", item}}, "token");
  if (!content) throw Error(ErrorKind::kModel, where, item.dump() + " is not a token");
  token.content = *content;
  if (item.is_string()) {
    token.special = special;
    return token;
  }
  token.single_word = config_flag(item, "single_word", false, where);
  token.lstrip = config_flag(item, "lstrip", false, where);
  token.rstrip = config_flag(item, "rstrip", false, where);
  token.special = config_flag(item, "special", special, where);
  token.normalized = config_flag(item, "normalized", !token.special, where);
  return token;
}

std::vector<AddedToken> tokens_by_id(const std::map<int32_t, AddedToken>& by_id) {
  std::vector<AddedToken> tokens;
  for (const auto& [id, token] : by_id) tokens.push_back(token);
  return tokens;
}

std::vector<AddedToken> read_decoder(const Json& decoder, const std::string& where) {
  if (!decoder.is_object())
    throw Error(ErrorKind::kModel, where, std::string(kDecoder) + " is not an object");
  std::map<int32_t, AddedToken> tokens;
  for (const auto& [id, item] : decoder.items()) {
    if (!item.is_object())
      throw Error(ErrorKind::kModel, where,
                  std::string(kDecoder) + ": token " + id + " is not an object");
    AddedToken token = token_of(item, false, where + ": " + kDecoder);
    token.id = checked_id(id, where);
    tokens[token.id] = std::move(token);
  }
  return tokens_by_id(tokens);
}

std::vector<AddedToken> read_added_file(const std::filesystem::path& path,
                                        const std::set<std::string>& special) {
  const Json file = read_config_object(path);
  std::map<int32_t, AddedToken> tokens;
  for (const auto& [content, id] : file.items()) {
    if (!id.is_number_integer())
      throw Error(ErrorKind::kModel, path.string(),
                  "the id of \"" + content + "\" is not a number");
    AddedToken token;
    token.id = checked_id(id.dump(), path.string());
    token.content = content;
    token.special = special.contains(content);
    token.normalized = !token.special;
    tokens[token.id] = std::move(token);
  }
  return tokens_by_id(tokens);
}

void read_special(const Json& config, std::vector<AddedToken>& tokens, const std::string& where) {
  for (const char* name : kNamedTokens)
    if (config.contains(name) && !config[name].is_null())
      tokens.push_back(token_of(config[name], true, where));
  // Names of a model's own: image_token and the like. add_bos_token is a switch.
  for (const auto& [key, value] : config.items())
    if (key.ends_with("_token") && (value.is_string() || value.is_object()) &&
        std::find(kNamedTokens.begin(), kNamedTokens.end(), key) == kNamedTokens.end())
      tokens.push_back(token_of(value, true, where));
}

/// `extra_special_tokens`, or by its older name `additional_special_tokens`: a list, or an object
/// of named ones.
void read_extra(const Json& config, std::vector<AddedToken>& tokens, const std::string& where) {
  const auto is_empty = [&](const char* key) {
    return !config.contains(key) || config[key].is_null() || config[key].empty();
  };
  const char* key = is_empty(kExtra) ? "additional_special_tokens" : kExtra;
  if (is_empty(key)) return;
  if (!config[key].is_structured())
    throw Error(ErrorKind::kModel, where, std::string("\"") + key + "\" is not a list of tokens");
  for (const Json& item : config[key]) tokens.push_back(token_of(item, true, where + ": " + key));
}

bool is_same(const AddedToken& a, const AddedToken& b) {
  return a.content == b.content && a.single_word == b.single_word && a.lstrip == b.lstrip &&
         a.rstrip == b.rstrip && a.normalized == b.normalized && a.special == b.special;
}

auto find_content(std::vector<AddedToken>& tokens, const std::string& content) {
  return std::find_if(tokens.begin(), tokens.end(),
                      [&](const AddedToken& token) { return token.content == content; });
}

/// The id that `tokenizers` gives to a token that neither vocabulary nor added tokens have.
int32_t next_id(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary) {
  int32_t id = static_cast<int32_t>(vocabulary.size());
  for (const AddedToken& token : tokens) id = std::max(id, token.id + 1);
  return id;
}

void add(std::vector<AddedToken>& tokens, AddedToken token, const Vocabulary& vocabulary) {
  if (token.content.empty()) return;
  const auto before = find_content(tokens, token.content);
  if (before != tokens.end()) {
    token.id = before->id;
    *before = std::move(token);
    return;
  }
  token.id = vocabulary.find(token.content).value_or(next_id(tokens, vocabulary));
  tokens.push_back(std::move(token));
}

}  // namespace

Json read_config_object(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return Json::object();
  Json json = read_json_file(path, ErrorKind::kModel);
  if (!json.is_object()) throw Error(ErrorKind::kModel, path.string(), "must be a JSON object");
  return json;
}

std::optional<std::string> token_content(const Json& config, const char* key) {
  if (!config.contains(key) || config[key].is_null()) return std::nullopt;
  const Json& value = config[key];
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string())
    return value["content"].get<std::string>();
  return std::nullopt;
}

bool config_flag(const Json& config, const char* key, bool otherwise, const std::string& where) {
  if (!config.contains(key) || config[key].is_null()) return otherwise;
  if (!config[key].is_boolean())
    throw Error(ErrorKind::kModel, where, std::string("\"") + key + "\" must be true or false");
  return config[key].get<bool>();
}

ConfigTokens read_config_tokens(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  Json config = read_config_object(path);
  const bool has_decoder = config.contains(kDecoder);
  ConfigTokens tokens;
  if (has_decoder) {
    tokens.listed = read_decoder(config[kDecoder], path.string());
  } else {
    const Json older = read_config_object(folder / "special_tokens_map.json");
    for (const auto& [key, value] : older.items()) config[key] = value;
  }
  read_special(config, tokens.special, path.string());
  read_extra(config, tokens.special, path.string());
  if (!has_decoder) {
    std::set<std::string> special;
    for (const AddedToken& token : tokens.special) special.insert(token.content);
    tokens.listed = read_added_file(folder / "added_tokens.json", special);
  }
  return tokens;
}

void merge_config_tokens(std::vector<AddedToken>& tokens, const ConfigTokens& config,
                         const Vocabulary& vocabulary) {
  std::vector<AddedToken> missing;
  for (const AddedToken& token : config.listed) {
    const auto before = find_content(tokens, token.content);
    if (before == tokens.end() || !is_same(*before, token)) missing.push_back(token);
  }
  for (const AddedToken& token : config.special)
    if (find_content(tokens, token.content) == tokens.end() &&
        find_content(missing, token.content) == missing.end())
      missing.push_back(token);
  for (AddedToken& token : missing) add(tokens, std::move(token), vocabulary);
}

}  // namespace air
