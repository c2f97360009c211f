// Models that the Hugging Face Hub's client has downloaded.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace air {

/// "OWNER/NAME", as models are called on the Hub.
bool looks_like_hub_name(const std::string& name);

/// The folder of a model in the Hub's cache, where it has its snapshot: that of "main", else the
/// only one. The cache is where huggingface_hub has it: HF_HUB_CACHE, HF_HOME/hub,
/// XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub. Nothing is downloaded.
/// @param name as looks_like_hub_name   @return none when it is not there
/// @throws Error(kModel) when there are several snapshots and none is "main".
std::optional<std::filesystem::path> find_in_hub_cache(const std::string& name);

}  // namespace air
