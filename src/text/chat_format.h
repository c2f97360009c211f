// A chat format as data: what stands around a prompt before the response begins.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace air {

/// One message of a conversation.
struct ChatMessage {
  std::string role;  ///< "system", "user", "assistant"
  std::string content;
  std::string reasoning =
      "";  ///< thinking of the assistant that the record keeps apart; empty: none
};

/// How one family writes a conversation up to the point where the assistant's answer begins. Source
/// of the fields: docs/chat-formats.md.
class ChatFormat {
 public:
  /// The format `none`: prompt + "\n" + response.
  static ChatFormat none();
  /// The format of a model folder (`--chat-template auto`): recognised by its own template (in
  /// tokenizer_config.json, chat_template.jinja or chat_template.json); `none` when it has no
  /// template.
  /// @throws Error(kModel) when it has a template that is not known, with the way out.
  static ChatFormat of_model(const std::filesystem::path& folder);
  /// From a format file, or by the name of a built-in one. @throws Error(kUsage) naming the
  /// built-in names.
  static ChatFormat named(const std::string& name_or_file);
  /// From the text of a format file; `where` names it. @throws Error(kUsage) that names the key
  /// that is wrong.
  static ChatFormat from_json(std::string_view text, const std::string& where);
  /// Names of the formats built into the program (configs/chat/*.json).
  static std::vector<std::string> builtin_names();

  const std::string& name() const { return name_; }
  /// The text before the response: all messages, and what the format puts before an answer. A
  /// `<think>` that the format puts there is left out when the response brings its own.
  /// @throws Error(kInput) when the format has no place for a role.
  std::string render_prompt(const std::vector<ChatMessage>& messages,
                            std::string_view response = {}) const;
  /// Thinking and answer of one turn as this family writes them, to follow render_prompt().
  std::string join_reasoning(std::string_view reasoning, std::string_view response) const;
  /// True when the text of the format stands for itself, special tokens and all: the tokenizer must
  /// not add its own. So it is with all formats but `none`, as in transformers'
  /// apply_chat_template.
  bool writes_bos() const { return writes_bos_; }
  /// What the format itself puts before an answer to make the model think: "<think>\n", or nothing.
  const std::string& thinking_opening() const;

 private:
  struct Parts;
  std::string take_system(std::vector<ChatMessage>& turns, size_t& carrier) const;

  std::string name_;
  bool writes_bos_ = false;
  std::shared_ptr<const Parts> parts_;
};

/// True when a response begins, after white space, with the tag `<think>`.
bool opens_thinking(std::string_view response);

/// The identity of a template's text: FNV-1a, 64 bits, 16 hex digits; one newline at the end does
/// not count (nor does it to Jinja). Format files list the templates that they stand for.
std::string template_fingerprint(std::string_view text);

}  // namespace air
