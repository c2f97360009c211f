// Flags that say how conversations are written, the same for every verb that writes them.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "base/json.h"
#include "text/chat_template.h"

namespace air {

/// Values as given.
struct ChatFlags {
  std::string chat_template = "auto";
  std::string kwargs;  ///< a JSON object; empty: not given
  std::string date;    ///< empty: not given
  std::string hash;    ///< that the model's own template must have; empty: any
};

/// Adds --chat-template, --chat-template-kwargs and --date to a group of a verb's flags.
void add_chat_flags(CLI::App& verb, ChatFlags& flags, const std::string& group);

/// Fills what was not given from the identity of the template that was used (a manifest's); null:
/// it is not known.
void take_chat_flags_of(const Json& used, ChatFlags& flags);

/// @throws Error(kUsage), Error(kModel).
ChatTemplate make_chat_template(const ChatFlags& flags, const std::filesystem::path& model_folder);

}  // namespace air
