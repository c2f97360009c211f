// A LoRA adapter of PEFT: low-rank matrices that are added to a model's own (Hu et al. 2021,
// arXiv:2106.09685), and tensors that take the place of its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "model/checkpoint.h"
#include "model/model_config.h"
#include "model/safetensors.h"

namespace air {

/// An adapter folder: adapter_config.json and adapter_model.safetensors. Modules are called as in
/// the file, without "base_model.model.".
class LoraAdapter {
 public:
  /// @throws Error(kModel) for another method than LoRA, a setting or a tensor that air does not
  /// know (DoRA, biases, initialisations that change the base, …), each named.
  explicit LoraAdapter(const std::filesystem::path& folder);

  /// Module → what is added to its weight.
  const std::map<std::string, LowRankUpdate>& updates() const { return updates_; }
  /// Module → the weight that takes its place (`modules_to_save`).
  const std::map<std::string, at::Tensor>& replacements() const { return replacements_; }
  /// A hash (XXH3, 16 hex digits) of all tensors and scales.
  const std::string& fingerprint() const { return fingerprint_; }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::shared_ptr<const SafetensorsFile> file_;  // what the tensors view
  std::map<std::string, LowRankUpdate> updates_;
  std::map<std::string, at::Tensor> replacements_;
  std::string fingerprint_;
};

/// Puts an adapter on a checkpoint: its tensors come out changed from then on, and its fingerprint
/// is that of both.
/// @throws Error(kModel) naming a module that the model does not have, or one of an embedding that
///   is tied to lm_head, where peft itself gives two results.
void apply_adapter(const LoraAdapter& adapter, const ModelConfig& config, Checkpoint& checkpoint);

}  // namespace air
