#include "text/chat_template.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>

#include "text/jinja/json_value.h"
#include "text/jinja/operators.h"
#include "text/jinja/python_text.h"

namespace air {

namespace {

using jinja::Side;
using jinja::strip;
using jinja::Value;

constexpr std::string_view kThinkTag = "<think>", kThinkEnd = "</think>";
constexpr const char* kDefaultDate = "2024-07-26";  // what Llama's templates take for today
constexpr const char* kFileHint = "auto, none, raw, or a file with a Jinja template";

/// Named templates of a model; `default` is the one that is used when nothing is said.
struct NamedTemplates {
  std::string source;  ///< the file they come from
  std::map<std::string, std::string> texts;
};

NamedTemplates templates_of_files(const std::filesystem::path& folder) {
  NamedTemplates out{"chat_template.jinja", {}};
  const auto add = [&](const std::string& name, const std::filesystem::path& file) {
    out.texts[name] = read_model_file(file);
  };
  if (std::filesystem::exists(folder / out.source)) add("default", folder / out.source);
  const std::filesystem::path more = folder / "additional_chat_templates";
  if (std::filesystem::is_directory(more))
    for (const auto& entry : std::filesystem::directory_iterator(more))
      if (entry.path().extension() == ".jinja") add(entry.path().stem().string(), entry.path());
  return out;
}

NamedTemplates templates_of_json(const std::filesystem::path& folder, const char* name) {
  NamedTemplates out{name, {}};
  const std::filesystem::path path = folder / name;
  if (!std::filesystem::exists(path)) return out;
  const Json json = read_json_file(path, ErrorKind::kModel);
  const Json value = json.is_object() ? json.value("chat_template", Json()) : Json();
  if (value.is_string()) {
    out.texts["default"] = value.get<std::string>();
  } else if (value.is_array()) {
    for (const Json& item : value) {
      const Json label = item.is_object() ? item.value("name", Json()) : Json();
      const Json text = item.is_object() ? item.value("template", Json()) : Json();
      if (!label.is_string() || !text.is_string())
        throw Error(ErrorKind::kModel, path.string(),
                    "\"chat_template\" holds something other than a name and a template");
      out.texts[label.get<std::string>()] = text.get<std::string>();
    }
  } else if (!value.is_null()) {
    throw Error(ErrorKind::kModel, path.string(),
                "\"chat_template\" is neither a text nor a list of named ones");
  }
  return out;
}

/// The templates of a model folder; the places and their order are those of transformers. That of a
/// processor (chat_template.json) counts where the tokenizer has none.
NamedTemplates find_templates(const std::filesystem::path& folder) {
  NamedTemplates out = templates_of_files(folder);
  if (out.texts.empty()) out = templates_of_json(folder, "tokenizer_config.json");
  if (out.texts.empty()) out = templates_of_json(folder, "chat_template.json");
  if (!out.texts.empty() && !out.texts.contains("default"))
    throw Error(ErrorKind::kModel, (folder / out.source).string(),
                "the model has several chat templates and none of them is \"default\"",
                "--chat-template FILE.jinja names one");
  return out;
}

std::optional<std::string> token_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string())
    return value["content"].get<std::string>();
  return std::nullopt;
}

/// Special tokens by name (bos_token, …), which are variables of every template; none: the model
/// says that there is no such token.
std::map<std::string, std::optional<std::string>> special_tokens(
    const std::filesystem::path& folder) {
  std::map<std::string, std::optional<std::string>> out;
  const auto add = [&](const Json& json) {
    if (!json.is_object()) return;
    for (const auto& [name, value] : json.items()) {
      const auto text = token_text(value);
      if (!name.ends_with("_token") || !(text || value.is_null())) continue;
      if (auto& token = out.try_emplace(name, text).first->second; !token) token = text;
    }
    for (const char* key : {"extra_special_tokens", "model_specific_special_tokens"})
      if (const Json more = json.value(key, Json()); more.is_object())
        for (const auto& [name, value] : more.items())
          if (const auto text = token_text(value)) out.emplace(name, text);
  };
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"})
    if (const auto path = folder / name; std::filesystem::exists(path))
      add(read_json_file(path, ErrorKind::kModel));
  return out;
}

/// Fails where the template reads a token that the folder does not name and that transformers
/// would take from the tokenizer's class.
void require_token(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return;
  const Json json = read_json_file(path, ErrorKind::kModel);
  const Json given = json.is_object() ? json.value("tokenizer_class", Json()) : Json();
  if (!given.is_string()) return;
  const auto tokenizer_class = given.get<std::string>();
  for (const char* without :
       {"PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"})
    if (tokenizer_class == without) return;
  if (tokenizer_class.starts_with("Qwen") && name == "bos_token") return;  // it has none
  throw Error(ErrorKind::kModel, path.string(),
              "the chat template reads " + name +
                  ", which is not in the file; \"tokenizer_class\": \"" + tokenizer_class +
                  "\" may imply one",
              "write \"" + name + "\" into the file: the token, or null for none");
}

std::tm parse_date(const std::string& text) {
  int year = 0, month = 0, day = 0, end = 0;
  const int found = std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &end);
  std::tm date{};
  date.tm_year = year - 1900, date.tm_mon = month - 1, date.tm_mday = day, date.tm_hour = 12;
  std::tm normal = date;
  const bool valid = found == 3 && static_cast<size_t>(end) == text.size() &&
                     timegm(&normal) != -1 && normal.tm_mon == date.tm_mon &&
                     normal.tm_mday == date.tm_mday;
  if (!valid)
    throw Error(ErrorKind::kUsage, "--date", "\"" + text + "\" is not a date",
                "such as " + std::string(kDefaultDate));
  normal.tm_hour = 0;
  return normal;
}

/// The place of a thought that the generation prompt opens at its end, and perhaps closes at once.
size_t thought_begin(std::string_view prompt) {
  std::string_view rest = strip(prompt, Side::kRight);
  if (rest.ends_with(kThinkEnd)) {
    rest.remove_suffix(kThinkEnd.size());
    rest = strip(rest, Side::kRight);
  }
  return rest.ends_with(kThinkTag) ? rest.size() - kThinkTag.size() : std::string_view::npos;
}

/// The message as transformers hands it to a template: without what is None, and with its thinking
/// under the names that templates use.
Value message_value(jinja::Budget& budget, const ChatMessage& message) {
  auto plain = std::make_shared<jinja::Dict>();
  if (message.fields.is_undefined()) {
    plain->set(budget, Value::text("role"), Value::text(message.role));
    plain->set(budget, Value::text("content"), Value::text(message.content));
    if (!message.reasoning.empty())
      plain->set(budget, Value::text("reasoning_content"), Value::text(message.reasoning));
  } else {
    for (const auto& [key, value] : message.fields.as<jinja::Dict>().entries())
      if (!value.is(Value::Kind::kNone)) plain->set(budget, key, value);
  }
  const Value* reasoning = nullptr;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"})
    if (!reasoning) reasoning = plain->find(name);
  auto out = std::make_shared<jinja::Dict>();
  if (reasoning) out->set(budget, Value::text("thinking"), *reasoning);
  for (const auto& [key, value] : plain->entries()) out->set(budget, key, value);
  if (reasoning) out->set(budget, Value::text("reasoning_content"), *reasoning);
  return Value::of(Value::Kind::kDict, std::move(out));
}

bool is_given(const Value& value) { return !value.is_undefined() && !value.is(Value::Kind::kNone); }

/// Thinking and answer, where no template says how they are joined.
std::string join_by_tags(std::string_view reasoning, std::string_view answer, bool is_open) {
  if (reasoning.empty()) return std::string(answer);
  std::string out = is_open ? "" : "<think>\n";
  return out.append(reasoning).append("\n</think>\n\n").append(answer);
}

/// The names of the functions that a turn calls.
std::vector<std::string> called_names(const ChatMessage& turn) {
  std::vector<std::string> out;
  const Value* calls = turn.fields.as<jinja::Dict>().find("tool_calls");
  if (!calls->is_sequence()) return out;
  for (const Value& call : calls->items()) {
    if (!call.is(Value::Kind::kDict)) continue;
    const Value* function = call.as<jinja::Dict>().find("function");
    const bool is_nested = function && function->is(Value::Kind::kDict);
    const Value* name = (is_nested ? *function : call).as<jinja::Dict>().find("name");
    if (name && name->is_string()) out.push_back(name->as_text());
  }
  return out;
}

}  // namespace

struct ChatTemplate::Parts {
  std::string source, fingerprint;
  std::optional<jinja::Template> plain, with_tools;
  jinja::Template::Variables variables;  ///< special tokens, then kwargs
  Json kwargs;
  std::string date_text;
  std::tm date{};
};

ChatTemplate ChatTemplate::none() { return {}; }

ChatTemplate ChatTemplate::raw() {
  ChatTemplate out;
  out.kind_ = Kind::kRaw;
  return out;
}

ChatTemplate ChatTemplate::make(std::unique_ptr<Parts> parts, const std::filesystem::path& folder,
                                const ChatTemplateOptions& options) {
  const auto tokens = special_tokens(folder);
  for (const char* name : {"bos_token", "eos_token"})
    if (parts->plain->reads(name) && !tokens.contains(name)) require_token(folder, name);
  for (const auto& [name, token] : tokens)
    if (token) parts->variables.emplace_back(name, Value::text(*token));
  for (const char* name : {"messages", "add_generation_prompt"})
    if (options.kwargs.contains(name))
      throw Error(ErrorKind::kUsage, "--chat-template-kwargs",
                  "\"" + std::string(name) + "\" is not for a user to set");
  jinja::Budget budget{jinja::Limits()};
  try {
    for (const auto& [name, value] : options.kwargs.items())
      parts->variables.emplace_back(name, jinja::from_json(budget, value));
  } catch (const jinja::RenderError& error) {
    throw Error(ErrorKind::kUsage, "--chat-template-kwargs", error.what());
  }
  parts->kwargs = options.kwargs;
  parts->date_text = options.date.empty() ? kDefaultDate : options.date;
  parts->date = parse_date(parts->date_text);
  ChatTemplate out;
  out.kind_ = Kind::kJinja;
  out.parts_ = std::move(parts);
  return out;
}

ChatTemplate ChatTemplate::of_model(const std::filesystem::path& folder,
                                    const ChatTemplateOptions& options) {
  const NamedTemplates found = find_templates(folder);
  if (found.texts.empty()) return none();
  auto parts = std::make_unique<Parts>();
  parts->source = found.source;
  const std::string where = (folder / found.source).string();
  const std::string& text = found.texts.at("default");
  parts->fingerprint = template_fingerprint(text);
  parts->plain.emplace(text, where, ErrorKind::kModel);
  if (const auto it = found.texts.find("tool_use"); it != found.texts.end()) {
    parts->with_tools.emplace(it->second, where + ", tool_use", ErrorKind::kModel);
    parts->fingerprint += "+" + template_fingerprint(it->second);
  }
  return make(std::move(parts), folder, options);
}

ChatTemplate ChatTemplate::of_file(const std::filesystem::path& file,
                                   const std::filesystem::path& folder,
                                   const ChatTemplateOptions& options) {
  const std::string text = read_file(file, ErrorKind::kUsage);
  auto parts = std::make_unique<Parts>();
  parts->source = file.filename().string();
  parts->fingerprint = template_fingerprint(text);
  parts->plain.emplace(text, file.string(), ErrorKind::kUsage);
  return make(std::move(parts), folder, options);
}

ChatTemplate ChatTemplate::choose(const std::string& flag, const std::filesystem::path& folder,
                                  const ChatTemplateOptions& options) {
  if (flag == "none") return none();
  if (flag == "raw") return raw();
  if (flag == "auto") return of_model(folder, options);
  if (flag.ends_with(".json"))
    throw Error(ErrorKind::kUsage, "--chat-template",
                "\"" + flag + "\": format files are no longer read",
                "air runs the model's own template (auto), or one in Jinja: FILE.jinja");
  if (!std::filesystem::is_regular_file(flag))
    throw Error(ErrorKind::kUsage, "--chat-template", "no file is called \"" + flag + "\"",
                kFileHint);
  return of_file(flag, folder, options);
}

std::string ChatTemplate::describe() const {
  if (kind_ == Kind::kNone) return "none";
  if (kind_ == Kind::kRaw) return "raw";
  return parts_->source + " (" + parts_->fingerprint + ")";
}

Json ChatTemplate::identity() const {
  if (kind_ != Kind::kJinja) return {{"source", kind_ == Kind::kNone ? "none" : "raw"}};
  return {{"source", parts_->source},
          {"hash", parts_->fingerprint},
          {"kwargs", parts_->kwargs},
          {"date", parts_->date_text}};
}

std::string ChatTemplate::render(const std::vector<ChatMessage>& messages,
                                 const ChatContext& context, bool add_generation_prompt) const {
  try {
    jinja::Budget budget{jinja::Limits()};
    std::vector<Value> values;
    values.reserve(messages.size());
    for (const ChatMessage& message : messages) values.push_back(message_value(budget, message));
    // What comes later counts: None where nothing is said, then the flag's and the record's words.
    jinja::Template::Variables variables{{"documents", Value::none()}, {"tools", Value::none()}};
    variables.insert(variables.end(), parts_->variables.begin(), parts_->variables.end());
    variables.insert(variables.end(), context.kwargs.begin(), context.kwargs.end());
    if (!context.tools.is_undefined()) variables.emplace_back("tools", context.tools);
    const auto last_tools = std::find_if(variables.rbegin(), variables.rend(),
                                         [](const auto& entry) { return entry.first == "tools"; });
    const bool has_tools = is_given(last_tools->second);
    variables.emplace_back("messages", Value::list(std::move(values)));
    variables.emplace_back("add_generation_prompt", Value::boolean(add_generation_prompt));
    const bool takes_other = has_tools && parts_->with_tools.has_value();
    return (takes_other ? *parts_->with_tools : *parts_->plain).render(variables, parts_->date);
  } catch (const jinja::RenderError& error) {  // of the messages, before the template sees them
    throw Error(ErrorKind::kInput, "", error.what());
  }
}

std::string ChatTemplate::render_plain(const std::vector<ChatMessage>& messages,
                                       const ChatContext& context) const {
  const char* hint = "--chat-template FILE.jinja names a template that can";
  const std::string name = describe();
  if (is_given(context.tools) && jinja::truth(context.tools))
    throw Error(ErrorKind::kInput, "", "--chat-template " + name + " has no place for tools", hint);
  if (kind_ == Kind::kRaw && (messages.size() != 1 || messages[0].role != "user"))
    throw Error(ErrorKind::kInput, "",
                "--chat-template raw needs a prompt that is one text, not a conversation");
  std::string out;
  for (const ChatMessage& message : messages) {
    if (message.role != "system" && message.role != "user" && message.role != "assistant")
      throw Error(ErrorKind::kInput, "",
                  "--chat-template " + name + " has no place for the role \"" + message.role + "\"",
                  hint);
    if (calls_tools(message))
      throw Error(ErrorKind::kInput, "", "--chat-template " + name + " has no place for tool calls",
                  hint);
    out += message.content;
    if (kind_ == Kind::kNone) out += '\n';
  }
  return out;
}

std::string ChatTemplate::render_prompt(const std::vector<ChatMessage>& messages,
                                        const ChatContext& context,
                                        std::string_view response) const {
  if (kind_ != Kind::kJinja) return render_plain(messages, context);
  std::string prompt = render(messages, context, true);
  const size_t thought = opens_thinking(response) ? thought_begin(prompt) : std::string_view::npos;
  if (thought != std::string_view::npos) prompt.resize(thought);
  return prompt;
}

std::string ChatTemplate::write_turn(const std::vector<ChatMessage>& messages,
                                     const ChatContext& context, const ChatMessage& turn) const {
  const bool has_calls = calls_tools(turn);
  if (kind_ != Kind::kJinja) {
    if (has_calls)
      throw Error(ErrorKind::kInput, "",
                  "--chat-template " + describe() + " has no place for tool calls",
                  "--chat-template FILE.jinja names a template that has");
    return join_by_tags(turn.reasoning, turn.content, false);
  }
  if (messages.empty()) return join_by_tags(turn.reasoning, turn.content, false);
  const std::string prompt = render(messages, context, true);
  const auto with_turn = [&](const ChatMessage& last) {
    std::vector<ChatMessage> all = messages;
    all.push_back(last);
    return render(all, context, false);
  };
  // What the template writes after the prompt, the thought that the prompt opens put aside if need
  // be.
  const std::string whole = with_turn(turn);
  const size_t thought = thought_begin(prompt);
  std::string_view rest;
  if (whole.starts_with(prompt))
    rest = std::string_view(whole).substr(prompt.size());
  else if (thought != std::string_view::npos && whole.starts_with(prompt.substr(0, thought)))
    rest = std::string_view(whole).substr(thought);

  const auto holds = [&](std::string_view text) {
    return rest.find(strip(text, Side::kBoth)) != std::string_view::npos;
  };
  const std::vector<std::string> names =
      has_calls ? called_names(turn) : std::vector<std::string>();
  if (std::any_of(names.begin(), names.end(), [&](const auto& name) { return !holds(name); }) ||
      (has_calls && rest.empty()))
    throw Error(ErrorKind::kInput, "", "the chat template does not write the turn's tool calls",
                "--chat-template FILE.jinja names a template that does");
  if (!has_calls && (rest.empty() || !holds(turn.reasoning) || !holds(turn.content)))
    return join_by_tags(turn.reasoning, turn.content, ends_with_open_thought(prompt));

  // The end of the turn is what follows a text that the template cannot know.
  constexpr std::string_view kMark = "qzxvkjwyqzxvkjwy";
  const std::string marked = with_turn({.role = turn.role, .content = std::string(kMark)});
  const size_t mark = marked.rfind(kMark);
  const std::string_view end =
      mark == std::string::npos ? "" : std::string_view(marked).substr(mark + kMark.size());
  if (rest.ends_with(end)) rest.remove_suffix(end.size());
  return std::string(rest);
}

bool calls_tools(const ChatMessage& message) {
  if (!message.fields.is(Value::Kind::kDict)) return false;
  const Value* calls = message.fields.as<jinja::Dict>().find("tool_calls");
  return calls && jinja::truth(*calls);
}

bool opens_thinking(std::string_view response) {
  return strip(response, Side::kLeft).starts_with(kThinkTag);
}

bool ends_with_open_thought(std::string_view prompt) {
  return strip(prompt, Side::kRight).ends_with(kThinkTag);
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
