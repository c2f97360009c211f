// What stands before a response: a conversation as the model's own chat template writes it.
#pragma once

#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/jinja/template.h"

namespace air {

/// One message of a conversation.
struct ChatMessage {
  std::string role;  ///< "system", "user", "assistant", "tool", …
  std::string content;
  std::string reasoning = "";  ///< thinking of the assistant that the record keeps apart
  /// All that the record says of the message, as a dict: what a template sees. Undefined: the
  /// above.
  jinja::Value fields = {};
};

/// What a record gives a template beside its messages.
struct ChatContext {
  jinja::Value tools = {};  ///< a list; undefined: none
  jinja::Template::Variables kwargs = {};
};

/// What every conversation is rendered with.
struct ChatTemplateOptions {
  Json kwargs = Json::object();  ///< variables of the template; a record's own come first
  std::string date = "";         ///< YYYY-MM-DD, for strftime_now(); empty: 2024-07-26
};

/// A way of writing conversations: Jinja, or one of two that are not: `none` (the contents, a line
/// end after each) and `raw` (the prompt is text that was rendered already).
class ChatTemplate {
 public:
  static ChatTemplate none();
  static ChatTemplate raw();
  /// The template of a model folder, found where transformers looks for it; `none` when it has
  /// none. @throws Error(kModel) when it does not compile, Error(kUsage) for options.
  static ChatTemplate of_model(const std::filesystem::path& folder,
                               const ChatTemplateOptions& options = {});
  /// A Jinja file, with the special tokens of the model folder. @throws Error(kUsage).
  static ChatTemplate of_file(const std::filesystem::path& file,
                              const std::filesystem::path& folder,
                              const ChatTemplateOptions& options = {});
  /// `--chat-template`: auto, none, raw or a Jinja file. @throws Error(kUsage), Error(kModel).
  static ChatTemplate choose(const std::string& flag, const std::filesystem::path& folder,
                             const ChatTemplateOptions& options = {});

  bool is_none() const { return kind_ == Kind::kNone; }
  /// One line for people: "none", "tokenizer_config.json (2bfdb7aa9754484e)".
  std::string describe() const;
  /// What decides the text, for manifests: source and hash of the template, kwargs, date.
  Json identity() const;

  /// The text before the response, generation prompt included. A thought that the generation prompt
  /// opens is left out when the response opens its own.
  /// @throws Error(kInput): what the template refuses, in its words; what `none` or `raw` cannot
  ///   say.
  std::string render_prompt(const std::vector<ChatMessage>& messages,
                            const ChatContext& context = {}, std::string_view response = {}) const;
  /// A turn of thinking, answer and tool calls as one text, to follow render_prompt(): what the
  /// template writes for it; where it drops the thinking, `<think>\n…\n</think>\n\n…`.
  /// @throws Error(kInput) when the template does not write the turn's tool calls.
  std::string write_turn(const std::vector<ChatMessage>& messages, const ChatContext& context,
                         const ChatMessage& turn) const;
  /// True when the text has its special tokens, and the tokenizer must not add its own: so it is in
  /// transformers' apply_chat_template.
  bool writes_special_tokens() const { return kind_ == Kind::kJinja; }

 private:
  enum class Kind { kNone, kRaw, kJinja };
  struct Parts;

  static ChatTemplate make(std::unique_ptr<Parts> parts, const std::filesystem::path& folder,
                           const ChatTemplateOptions& options);
  std::string render(const std::vector<ChatMessage>& messages, const ChatContext& context,
                     bool add_generation_prompt) const;
  std::string render_plain(const std::vector<ChatMessage>& messages,
                           const ChatContext& context) const;

  Kind kind_ = Kind::kNone;
  std::shared_ptr<const Parts> parts_;
};

/// True when a message calls tools.
bool calls_tools(const ChatMessage& message);

/// True when a response begins, after white space, with the tag `<think>`.
bool opens_thinking(std::string_view response);

/// True when a prompt ends, before white space, with the tag `<think>`.
bool ends_with_open_thought(std::string_view prompt);

/// The identity of a template's text: FNV-1a, 64 bits, 16 hex digits; one newline at the end does
/// not count (nor does it to Jinja).
std::string template_fingerprint(std::string_view text);

}  // namespace air
