// Files that the build puts into the program.
#pragma once

#include <span>
#include <string_view>

namespace air {

struct EmbeddedFile {
  std::string_view name;  ///< without folder and extension
  std::string_view text;
};

/// configs/chat/*.json, by name.
std::span<const EmbeddedFile> embedded_chat_formats();

}  // namespace air
