#include "text/chat_format.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "base/json.h"
#include "text/embedded_files.h"
#include "text/utf8.h"

namespace air {

namespace {

constexpr std::string_view kThinkTag = "<think>";
constexpr std::string_view kThinkEnd = "</think>";

/// What Python's str.strip() takes away: white space and the ASCII separators.
bool is_strippable(char32_t c) { return is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

std::string_view strip_left(std::string_view text) {
  size_t begin = 0;
  for (size_t i = 0; i < text.size() && is_strippable(next_code_point(text, i));) begin = i;
  return text.substr(begin);
}

std::string_view strip_right(std::string_view text) {
  size_t end = text.size();
  for (size_t i = end; i > 0 && is_strippable(previous_code_point(text, i));) end = i;
  return text.substr(0, end);
}

std::string_view strip_newlines(std::string_view text, bool left, bool right) {
  while (left && text.starts_with('\n')) text.remove_prefix(1);
  while (right && text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

/// What a format does to the white space at the ends of a content.
enum class Strip { kNone, kBoth, kLeft, kRight, kLeftNewlines };

std::string_view apply_strip(Strip strip, std::string_view text) {
  if (strip == Strip::kLeftNewlines) return strip_newlines(text, true, false);
  if (strip == Strip::kBoth || strip == Strip::kLeft) text = strip_left(text);
  if (strip == Strip::kBoth || strip == Strip::kRight) text = strip_right(text);
  return text;
}

/// Whether earlier answers lose all up to `</think>`, and the newlines after it.
enum class DropThinking { kNo, kKeepNewlines, kStripNewlines };

/// How a family writes one turn of a role.
struct Turn {
  std::string prefix, suffix;
  Strip strip = Strip::kNone;
  DropThinking drop_thinking = DropThinking::kNo;
  bool skip_empty = false;  ///< a turn without content is not written
  bool ignore = false;      ///< the family's template drops this role
};

/// Where the system message goes when it has no turn of its own.
struct SystemInUser {
  bool last = false;  ///< in the last user turn, else the first
  std::string prefix, suffix;
  Strip strip = Strip::kNone;
  bool strip_joined = false;  ///< the user turn's strip rule sees system and user text as one
};

/// What stands around thinking that a record keeps apart from the answer.
struct ReasoningJoin {
  std::string before = "<think>\n", between = "\n</think>\n\n";
  bool strip_newlines = false;
};

}  // namespace

struct ChatFormat::Parts {
  std::string begin;  ///< before all messages: BOS
  std::optional<std::string> default_system;
  std::map<std::string, Turn, std::less<>> turns;
  std::optional<SystemInUser> system_in_user;
  std::string generation;  ///< opens the answer
  std::string thinking;    ///< opens the thinking of the answer
  ReasoningJoin reasoning;
  std::vector<std::string> templates;  ///< fingerprints
};

namespace {

/// Reads a format file; every key must be known.
class FormatReader {
 public:
  FormatReader(const Json& json, const std::string& where) : json_(json), where_(where) {}

  void known_keys(std::initializer_list<std::string_view> keys) const {
    if (!json_.is_object()) fail("must be an object");
    for (const auto& [key, value] : json_.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        fail("the key \"" + key + "\" is not known");
  }
  std::string text(const char* key, std::optional<std::string> otherwise = std::nullopt) const {
    const auto it = json_.find(key);
    if (it == json_.end()) {
      if (!otherwise) fail(std::string("has no \"") + key + "\"");
      return *otherwise;
    }
    if (!it->is_string()) fail(std::string("\"") + key + "\" must be a string");
    return it->get<std::string>();
  }
  bool flag(const char* key) const {
    const auto it = json_.find(key);
    if (it == json_.end()) return false;
    if (!it->is_boolean()) fail(std::string("\"") + key + "\" must be true or false");
    return it->get<bool>();
  }
  Strip strip() const {
    const std::string rule = text("strip", "none");
    if (rule == "none") return Strip::kNone;
    if (rule == "both") return Strip::kBoth;
    if (rule == "left") return Strip::kLeft;
    if (rule == "right") return Strip::kRight;
    if (rule == "left-newlines") return Strip::kLeftNewlines;
    fail("the strip rule \"" + rule + "\" is not known: none, both, left, right, left-newlines");
  }
  std::optional<FormatReader> part(const char* key) const {
    const auto it = json_.find(key);
    if (it == json_.end()) return std::nullopt;
    return FormatReader(*it, where_ + ": " + key);
  }
  bool has(const char* key) const { return json_.contains(key); }
  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kUsage, where_, what,
                "docs/chat-formats.md says what a format file holds");
  }

 private:
  const Json& json_;
  std::string where_;
};

Turn read_turn(const FormatReader& part) {
  part.known_keys({"prefix", "suffix", "strip", "drop_thinking", "skip_empty", "ignore"});
  const std::string drop = part.text("drop_thinking", "no");
  if (drop != "no" && drop != "keep-newlines" && drop != "strip-newlines")
    part.fail("\"drop_thinking\" must be no, keep-newlines or strip-newlines");
  return {part.text("prefix"),
          part.text("suffix"),
          part.strip(),
          drop == "no"              ? DropThinking::kNo
          : drop == "keep-newlines" ? DropThinking::kKeepNewlines
                                    : DropThinking::kStripNewlines,
          part.flag("skip_empty"),
          part.flag("ignore")};
}

SystemInUser read_system_in_user(const FormatReader& part) {
  part.known_keys({"which", "prefix", "suffix", "strip", "strip_joined"});
  const std::string which = part.text("which", "first");
  if (which != "first" && which != "last") part.fail("\"which\" must be first or last");
  return {which == "last", part.text("prefix"), part.text("suffix"), part.strip(),
          part.flag("strip_joined")};
}

ReasoningJoin read_reasoning(const FormatReader& part) {
  part.known_keys({"before", "between", "strip_newlines"});
  return {part.text("before"), part.text("between"), part.flag("strip_newlines")};
}

std::vector<std::string> read_templates(const FormatReader& format) {
  std::vector<std::string> out;
  if (!format.has("templates")) return out;
  if (!format.json()["templates"].is_array()) format.fail("\"templates\" must be a list");
  for (const Json& item : format.json()["templates"]) {
    if (!item.is_string()) format.fail("\"templates\" must hold strings");
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::string known_names() {
  std::string names;
  for (const std::string& name : ChatFormat::builtin_names())
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace

ChatFormat ChatFormat::none() { return named("none"); }

ChatFormat ChatFormat::from_json(std::string_view text, const std::string& where) {
  const Json json = parse_json(text, where, ErrorKind::kUsage);
  const FormatReader file(json, where);
  file.known_keys({"name", "source", "templates", "special_tokens", "begin", "default_system",
                   "turns", "system_in_user", "generation", "thinking", "reasoning"});
  Parts parts;
  parts.begin = file.text("begin", "");
  if (file.has("default_system")) parts.default_system = file.text("default_system");
  const auto turns = file.part("turns");
  if (!turns || !turns->json().is_object()) file.fail("has no \"turns\"");
  for (const auto& [role, turn] : turns->json().items())
    parts.turns[role] = read_turn(FormatReader(turn, turns->where() + "." + role));
  if (const auto part = file.part("system_in_user"))
    parts.system_in_user = read_system_in_user(*part);
  parts.generation = file.text("generation");
  parts.thinking = file.text("thinking", "");
  if (const auto part = file.part("reasoning")) parts.reasoning = read_reasoning(*part);
  parts.templates = read_templates(file);
  ChatFormat format;
  format.name_ = file.text("name");
  const std::string special_tokens = file.text("special_tokens", "format");
  if (special_tokens != "format" && special_tokens != "tokenizer")
    file.fail("\"special_tokens\" must be format or tokenizer");
  format.writes_bos_ = special_tokens == "format";
  format.parts_ = std::make_shared<const Parts>(std::move(parts));
  return format;
}

std::vector<std::string> ChatFormat::builtin_names() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_chat_formats()) names.emplace_back(file.name);
  return names;
}

ChatFormat ChatFormat::named(const std::string& name_or_file) {
  for (const EmbeddedFile& file : embedded_chat_formats())
    if (file.name == name_or_file)
      return from_json(file.text, "built-in chat format " + name_or_file);
  if (std::filesystem::is_regular_file(name_or_file))
    return from_json(read_file(name_or_file, ErrorKind::kUsage), name_or_file);
  throw Error(ErrorKind::kUsage, "--chat-template",
              "no built-in format and no file is called \"" + name_or_file + "\"",
              "built-in formats: " + known_names());
}

namespace {

/// The template among named ones that is used when nothing is said: "default".
std::optional<std::string> default_template(const Json& value, const std::string& where) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("default"))
    return default_template(value["default"], where);
  if (value.is_array())
    for (const Json& item : value)
      if (item.is_object() && item.value("name", "") == "default" && item.contains("template"))
        return default_template(item["template"], where);
  throw Error(ErrorKind::kModel, where,
              "\"chat_template\" is neither a text nor a list with a template named \"default\"");
}

/// The template of a model folder; the places are those of transformers, the newest first.
std::optional<std::string> find_template(const std::filesystem::path& folder, std::string& where) {
  where = (folder / "chat_template.jinja").string();
  if (std::filesystem::exists(where)) return read_file(where, ErrorKind::kModel);
  for (const char* name : {"chat_template.json", "tokenizer_config.json"}) {
    where = (folder / name).string();
    if (!std::filesystem::exists(where)) continue;
    const Json json = read_json_file(where, ErrorKind::kModel);
    if (json.is_object() && json.contains("chat_template"))
      return default_template(json["chat_template"], where);
  }
  return std::nullopt;
}

}  // namespace

ChatFormat ChatFormat::of_model(const std::filesystem::path& folder) {
  std::string where;
  const std::optional<std::string> text = find_template(folder, where);
  if (!text) return none();
  const std::string fingerprint = template_fingerprint(*text);
  for (const EmbeddedFile& file : embedded_chat_formats()) {
    ChatFormat format = named(std::string(file.name));
    const auto& known = format.parts_->templates;
    if (std::find(known.begin(), known.end(), fingerprint) != known.end()) return format;
  }
  throw Error(
      ErrorKind::kModel, where,
      "the model's chat template is not one that air knows (fingerprint " + fingerprint + ")",
      "scripts/make_chat_format.py --model " + folder.string() +
          " -o format.json makes a format file for --chat-template format.json; or name a built-in "
          "one: " +
          known_names());
}

namespace {

std::string_view without_thinking(std::string_view content, DropThinking drop) {
  const size_t end = drop == DropThinking::kNo ? std::string_view::npos : content.rfind(kThinkEnd);
  if (end == std::string_view::npos) return content;
  return strip_newlines(content.substr(end + kThinkEnd.size()),
                        drop == DropThinking::kStripNewlines, false);
}

}  // namespace

const std::string& ChatFormat::thinking_opening() const { return parts_->thinking; }

std::string ChatFormat::join_reasoning(std::string_view reasoning,
                                       std::string_view response) const {
  if (reasoning.empty()) return std::string(response);
  const ReasoningJoin& join = parts_->reasoning;
  std::string_view before = join.before;
  if (!parts_->thinking.empty() && before.starts_with(parts_->thinking))
    before.remove_prefix(parts_->thinking.size());
  if (join.strip_newlines) {
    reasoning = strip_newlines(reasoning, true, true);
    response = strip_newlines(response, true, false);
  }
  return std::string(before).append(reasoning).append(join.between).append(response);
}

/// Takes the system message out of the turns, as the text to be written into a user turn; `carrier`
/// becomes that turn.
std::string ChatFormat::take_system(std::vector<ChatMessage>& turns, size_t& carrier) const {
  const SystemInUser& place = *parts_->system_in_user;
  std::string text = place.prefix;
  text.append(apply_strip(place.strip, turns.front().content)).append(place.suffix);
  turns.erase(turns.begin());
  for (size_t i = 0; i < turns.size(); ++i)
    if (turns[i].role == "user" && (place.last || carrier == std::string::npos)) carrier = i;
  if (carrier == std::string::npos)
    throw Error(ErrorKind::kInput, "",
                "the chat format \"" + name_ +
                    "\" writes the system message into a user turn, and there is none");
  return text;
}

std::string ChatFormat::render_prompt(const std::vector<ChatMessage>& messages,
                                      std::string_view response) const {
  const Parts& parts = *parts_;
  std::vector<ChatMessage> turns = messages;
  const auto begins_with_system = [&] { return !turns.empty() && turns.front().role == "system"; };
  if (!begins_with_system() && parts.default_system)
    turns.insert(turns.begin(), {"system", *parts.default_system});
  size_t carrier = std::string::npos;
  std::string system;
  if (parts.system_in_user && begins_with_system()) system = take_system(turns, carrier);

  std::string out = parts.begin;
  for (size_t i = 0; i < turns.size(); ++i) {
    const auto found = parts.turns.find(turns[i].role);
    if (found == parts.turns.end())
      throw Error(
          ErrorKind::kInput, "",
          "the chat format \"" + name_ + "\" has no place for the role \"" + turns[i].role + "\"");
    const Turn& turn = found->second;
    if (turn.ignore || (turn.skip_empty && turns[i].content.empty())) continue;
    const std::string_view content = without_thinking(turns[i].content, turn.drop_thinking);
    out += turn.prefix;
    if (i == carrier && parts.system_in_user->strip_joined) {
      out += apply_strip(turn.strip, system.append(content));
    } else {
      if (i == carrier) out += system;
      out += apply_strip(turn.strip, content);
    }
    out += turn.suffix;
  }
  out += parts.generation;
  if (!opens_thinking(response)) out += parts.thinking;
  return out;
}

bool opens_thinking(std::string_view response) {
  return strip_left(response).starts_with(kThinkTag);
}

std::string template_fingerprint(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[hash >> shift & 15];
  return out;
}

}  // namespace air
