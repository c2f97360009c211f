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
};

/// How one family writes a conversation up to the point where the assistant's answer begins.
class ChatFormat {
 public:
  /// The format `none`: prompt + "\n" + response.
  static ChatFormat none();
  /// The format of a model folder (`--chat-template auto`): recognised by its own template; `none` when it has no template.
  /// @throws Error(kModel) when it has a template that is not known, with the way out.
  static ChatFormat of_model(const std::filesystem::path& folder);
  /// From a format file, or by the name of a built-in one. @throws Error(kUsage) naming the built-in names.
  static ChatFormat named(const std::string& name_or_file);
  /// Names of the formats built into the program (configs/chat/*.json).
  static std::vector<std::string> builtin_names();

  const std::string& name() const { return name_; }
  /// The text before the response: all messages, and what the format puts before an answer.
  /// @throws Error(kInput) when the format has no place for a role.
  std::string render_prompt(const std::vector<ChatMessage>& messages) const;
  /// True when the rendered text itself holds the special BOS token, so that the tokenizer must not add its own.
  bool writes_bos() const { return writes_bos_; }

 private:
  struct Parts;
  std::string name_;
  bool writes_bos_ = false;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace air
