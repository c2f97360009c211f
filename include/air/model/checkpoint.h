// The weights of a model folder: one safetensors file, or several listed by an index.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "air/model/safetensors.h"

namespace air {

/// All tensors of a folder by name. Tensors are taken one by one; finish() refuses what nobody took.
class Checkpoint {
 public:
  /// @throws Error(kModel) when there are no weights, or the index and its files do not agree.
  explicit Checkpoint(const std::filesystem::path& folder);

  bool has(const std::string& name) const { return where_.contains(name); }
  /// The tensor in `dtype` on `device`. @throws Error(kModel) naming it when it is missing or of another shape.
  at::Tensor take(const std::string& name, at::IntArrayRef shape, at::ScalarType dtype, at::Device device);
  /// Marks a tensor as known and not needed.
  void ignore(const std::string& name);
  /// @throws Error(kModel) naming the tensors that nobody took.
  void finish() const;

  /// A hash (XXH3, 16 hex digits) of every tensor's name, dtype, shape and samples of its data: the identity of the model
  /// in heads files and manifests, whatever its sharding and its config.json's style.
  const std::string& fingerprint() const { return fingerprint_; }
  int64_t num_parameters() const;

 private:
  std::filesystem::path folder_;
  std::map<std::string, std::shared_ptr<const SafetensorsFile>> where_;
  std::set<std::string> taken_;
  std::string fingerprint_;
};

}  // namespace air
