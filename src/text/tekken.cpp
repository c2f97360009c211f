#include "text/tekken.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/byte_alphabet.h"
#include "text/json_part.h"
#include "text/vocabulary.h"

namespace air {

namespace {

using json_part::Value;

constexpr const char* kSaveHint =
    "transformers reads it with the package mistral-common alone; "
    "AutoTokenizer.from_pretrained(DIR)"
    ".save_pretrained(DIR) there writes a tokenizer.json";

// The ways to cut a token in two are looked up by their bytes, which takes the square of its size.
constexpr size_t kMaxTokenBytes = 1024;

/// The bytes of a base64 text (RFC 4648) with padding; none when it is not one.
std::optional<std::string> base64_bytes(std::string_view text) {
  const auto digit = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text.substr(0, text.size() - padding)) {
    if (digit(c) < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

std::optional<int64_t> get_count(const Value& object, const char* key, const std::string& where) {
  const Value* value = json_part::find(object, key);
  if (!value) return std::nullopt;
  if (!value->IsInt() || value->GetInt() < 0 || value->GetInt() > kMaxTokenId)
    json_part::fail(where + "." + key, "is not a number of tokens");
  return value->GetInt();
}

/// All special tokens by their rank, with fillers for those that the file only counts.
std::vector<std::string> read_special_tokens(const Value& file, const Value& config,
                                             const std::string& where) {
  using namespace json_part;
  if (!find(file, "special_tokens"))
    throw Error(ErrorKind::kModel, where, "an old tekken.json, without \"special_tokens\"",
                kSaveHint);
  const Value& list = get_array(file, "special_tokens", where);
  std::vector<std::string> tokens(list.Size());
  std::vector<bool> seen(list.Size());
  for (const Value& item : list.GetArray()) {
    const std::string part = where + ": special_tokens";
    if (!item.IsObject()) fail(part, "must hold objects");
    const Value& rank = get(item, "rank", part);
    if (!rank.IsUint() || rank.GetUint() >= list.Size() || seen[rank.GetUint()])
      fail(part, "the ranks must be 0, 1, … without a gap");
    seen[rank.GetUint()] = true;
    tokens[rank.GetUint()] = get_string(item, "token_str", part);
  }
  const auto count = get_count(config, "default_num_special_tokens", where + ": config");
  for (size_t id = tokens.size(); count && id < static_cast<size_t>(*count); ++id)
    tokens.push_back("<SPECIAL_" + std::to_string(id) + ">");
  return tokens;
}

/// Bytes of the tokens, by rank; those beyond the vocabulary's size are left out.
std::vector<std::string> read_tokens(const Value& file, const Value& config, size_t num_special,
                                     const std::string& where) {
  using namespace json_part;
  const Value& list = get_array(file, "vocab", where);
  size_t size = list.Size();
  if (const auto all = get_count(config, "default_vocab_size", where + ": config")) {
    if (static_cast<size_t>(*all) < num_special)
      fail(where + ": config", "default_vocab_size is less than the special tokens are");
    size = std::min(size, static_cast<size_t>(*all) - num_special);
  }
  std::vector<std::string> tokens;
  for (rapidjson::SizeType i = 0; i < size; ++i) {
    const std::string part = where + ": vocab";
    if (!list[i].IsObject()) fail(part, "must hold objects");
    auto bytes = base64_bytes(get_string(list[i], "token_bytes", part));
    if (!bytes || bytes->empty())
      fail(part, "token_bytes of token " + std::to_string(i) + " is not base64");
    if (bytes->size() > kMaxTokenBytes)
      fail(part, "token_bytes of token " + std::to_string(i) + " are more than " +
                     std::to_string(kMaxTokenBytes));
    tokens.push_back(std::move(*bytes));
  }
  return tokens;
}

std::string spelled(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += byte_level_character(static_cast<unsigned char>(byte));
  return text;
}

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void write_string(Writer& writer, std::string_view text) {
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

/// Every way of making a token of two others, by the token's rank and then theirs.
void write_merges(Writer& writer, const std::vector<std::string>& tokens) {
  std::unordered_map<std::string_view, size_t> ranks;
  for (size_t rank = 0; rank < tokens.size(); ++rank) ranks.emplace(tokens[rank], rank);
  writer.StartArray();
  for (const std::string_view token : tokens) {
    std::vector<std::array<size_t, 2>> pairs;
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = ranks.find(token.substr(0, cut)), right = ranks.find(token.substr(cut));
      if (left != ranks.end() && right != ranks.end())
        pairs.push_back({left->second, right->second});
    }
    std::sort(pairs.begin(), pairs.end());
    for (const auto& [left, right] : pairs) {
      writer.StartArray();
      write_string(writer, spelled(tokens[left]));
      write_string(writer, spelled(tokens[right]));
      writer.EndArray();
    }
  }
  writer.EndArray();
}

void write_model(Writer& writer, const std::vector<std::string>& special,
                 const std::vector<std::string>& tokens) {
  writer.StartObject();
  writer.Key("type");
  writer.String("BPE");
  writer.Key("ignore_merges");
  writer.Bool(true);
  writer.Key("vocab");
  writer.StartObject();
  int id = 0;
  const auto write_token = [&](std::string_view token) {
    write_string(writer, token);
    writer.Int(id++);
  };
  for (const std::string& token : special) write_token(token);
  for (const std::string& token : tokens) write_token(spelled(token));
  writer.EndObject();
  writer.Key("merges");
  write_merges(writer, tokens);
  writer.EndObject();
}

void write_pre_tokenizer(Writer& writer, std::string_view pattern) {
  writer.StartObject();
  writer.Key("type");
  writer.String("Sequence");
  writer.Key("pretokenizers");
  writer.StartArray();
  writer.StartObject();
  writer.Key("type");
  writer.String("Split");
  writer.Key("pattern");
  writer.StartObject();
  writer.Key("Regex");
  write_string(writer, pattern);
  writer.EndObject();
  writer.Key("behavior");
  writer.String("Isolated");
  writer.Key("invert");
  writer.Bool(false);
  writer.EndObject();
  writer.StartObject();
  writer.Key("type");
  writer.String("ByteLevel");
  writer.Key("add_prefix_space");
  writer.Bool(false);
  writer.Key("use_regex");
  writer.Bool(false);
  writer.EndObject();
  writer.EndArray();
  writer.EndObject();
}

void write_added_tokens(Writer& writer, const std::vector<std::string>& special) {
  writer.StartArray();
  for (size_t id = 0; id < special.size(); ++id) {
    writer.StartObject();
    writer.Key("id");
    writer.Int(static_cast<int>(id));
    writer.Key("content");
    write_string(writer, special[id]);
    writer.Key("special");
    writer.Bool(true);
    for (const char* off : {"single_word", "lstrip", "rstrip", "normalized"}) {
      writer.Key(off);
      writer.Bool(false);
    }
    writer.EndObject();
  }
  writer.EndArray();
}

}  // namespace

std::string tekken_as_tokenizer_json(std::string json, const std::string& where) {
  using namespace json_part;
  const rapidjson::Document file = parse_file(json, where);
  const Value& config = get(file, "config", where);
  if (!config.IsObject()) fail(where + ": config", "must be an object");
  const std::vector<std::string> special = read_special_tokens(file, config, where);
  const std::vector<std::string> tokens = read_tokens(file, config, special.size(), where);
  rapidjson::StringBuffer text;
  Writer writer(text);
  writer.StartObject();
  writer.Key("added_tokens");
  write_added_tokens(writer, special);
  writer.Key("pre_tokenizer");
  write_pre_tokenizer(writer, get_string(config, "pattern", where + ": config"));
  writer.Key("model");
  write_model(writer, special, tokens);
  writer.EndObject();
  return text.GetString();
}

}  // namespace air
