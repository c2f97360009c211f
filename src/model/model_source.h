// Where a model lies: the folder of its weights, and the adapter on top of it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace air {

/// Folders that exist; what is in them is checked when it is read.
struct ModelSource {
  std::filesystem::path folder;                  ///< config.json and the weights
  std::optional<std::filesystem::path> adapter;  ///< a LoRA folder of PEFT
  /// Keys of config.json that are passed over although nothing is known of them.
  std::vector<std::string> ignored_config_keys = {};

  ModelSource() = default;
  /// The folder alone.
  ModelSource(std::filesystem::path folder) : folder(std::move(folder)) {}

  /// Where tokenizer and chat template lie: in the adapter's folder when it has a tokenizer, as
  /// trainers save one, else in the model's.
  std::filesystem::path text_folder() const;
};

/// What a user names: folders, or names on the Hub of what its client has downloaded
/// (hub_cache.h). A model folder that holds an adapter too has it applied, as transformers
/// does; an adapter folder alone leads to its base when that is a folder.
/// @param adapter a folder; "none": no adapter, not even one beside the weights; "": not given
/// @throws Error(kModel) for what is not such a folder: a name that was not downloaded, a file,
/// links that lead
///   nowhere, an adapter whose base is not here.
ModelSource find_model(const std::string& model, const std::string& adapter,
                       std::vector<std::string> ignored_config_keys = {});

/// @throws Error(kModel) that says what the folder holds in place of safetensors weights, and what
/// to do.
[[noreturn]] void throw_no_weights(const std::filesystem::path& folder);

}  // namespace air
